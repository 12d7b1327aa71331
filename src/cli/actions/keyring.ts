import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { KeyMissingError, UsageError } from "../../errors.ts"
import { changeKeyring, newKeyring, openTrusted } from "../../keyring/admin.ts"
import type { KeyringChange } from "../../keyring/change.ts"
import { activeEpoch } from "../../keyring/keyring.ts"
import type { OpenKeyring } from "../../keyring/open.ts"
import { type KeyringPlace, keyringPlace, prefixUri } from "../../keyring/place.ts"
import { type Named, namesOf, pick } from "../../keys/choose.ts"
import type { Kek, KeySet } from "../../keys/kek.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { parseAddress } from "../address.ts"
import type { ConfirmOptions } from "../confirm.ts"
import { askYes } from "../prompt.ts"
import type { Session } from "../session.ts"
import { counted } from "../text.ts"
import { settleChange } from "./keyring-change.ts"

export interface AddOptions extends ConfirmOptions {
  readonly name?: string
}

export interface RemoveOptions extends ConfirmOptions {
  /** `--no-new-epoch` makes it false. */
  readonly newEpoch?: boolean
}

export interface EpochOptions extends ConfirmOptions {
  readonly retire?: string
  readonly revoke?: string
}

/** `keyring init`: the keys that would be written to become its recipients. */
export async function initKeyring(session: Session, target: string, options: ConfirmOptions): Promise<void> {
  const place = keyringPlace(parseAddress(target))
  const context = await contextWith(session, await session.keys("both"))
  const { requesterPays } = session.settings
  const recipients = context.keys.writers.map((kek) => ({ kek }))
  using change = await newKeyring(context, place, recipients, { requesterPays })
  await settleChange(session, context, change, options)
}

/** `keyring add`. @param names - names or ids of keys at hand. */
export async function addRecipients(
  session: Session,
  target: string,
  names: readonly string[],
  options: AddOptions,
): Promise<void> {
  const { name } = options
  if (name !== undefined && names.length > 1) {
    throw new UsageError("--name is for one recipient", { hint: "add them one after the other" })
  }
  const recipients: Kek[] = []
  for (const given of names) recipients.push(...(await recipientsOf(session, given)))
  await changing(session, target, options, async (change) => {
    for (const kek of recipients) await change.add({ kek, name })
  })
}

/** A key at hand, by name or id; or public keys: themselves, or a file of them. */
async function recipientsOf(session: Session, given: string): Promise<readonly Kek[]> {
  const { isRecipientText } = await import("../../keys/given.ts")
  if (isRecipientText(given)) return session.recipients(given)
  try {
    return (await session.keys("both", { writeTo: [given], recipientsAre: "passed over" })).writers
  } catch (error) {
    const path = resolve(session.io.cwd, given)
    if (!(error instanceof KeyMissingError && existsSync(path))) throw error
    return session.recipients(path)
  }
}

/** `keyring remove`. @param names - names or ids of recipients. */
export async function removeRecipients(
  session: Session,
  target: string,
  names: readonly string[],
  options: RemoveOptions,
): Promise<void> {
  const { io, output, signal } = session
  await changing(session, target, options, async (change, before, place) => {
    const { recipients, epochs } = before.keyring
    const known = recipients.map(({ kek: id, name }) => ({ id, name }))
    const leaving = names.map((name) => find(name, known, "recipient"))
    for (const { id } of leaving) change.remove(id)
    const who = leaving.map(({ name }) => name).join(", ")
    output.notice(
      `${who} may have kept the KEKs of ${counted(epochs.length, "epoch")}: what is encrypted to those stays readable to whoever can read the bucket and has them`,
      "only --reencrypt of `s3ep rotate-key` takes that away, from those who have not read it yet",
    )
    const ask = options.newEpoch === undefined && io.stdin.isTTY && !options.yes && !options.dryRun
    if (options.newEpoch ?? (ask && (await askYes("make a new epoch, which they do not get?", io, signal)))) {
      await change.newEpoch()
    } else {
      output.notice(
        `without a new epoch ${who} can also read what is put from now on, and write a keyring that passes for this one`,
        `add --new-epoch, or run \`s3ep keyring epoch ${prefixUri(place)}\` afterwards`,
      )
    }
  })
}

/** `keyring epoch`: a new one, or another state for an old one. */
export async function changeEpoch(session: Session, target: string, options: EpochOptions): Promise<void> {
  const { retire, revoke } = options
  if (retire !== undefined && revoke !== undefined) {
    throw new UsageError("--retire and --revoke are for one epoch each", { hint: "run it twice" })
  }
  const { output } = session
  await changing(session, target, options, async (change, before, place) => {
    const { epochs } = before.keyring
    const given = revoke ?? retire
    const known = epochs.map(({ kek }) => ({ id: kek, name: kek }))
    const id = given === undefined ? activeEpoch(before.keyring).kek : find(given, known, "epoch").id
    await change.move(id, revoke === undefined ? "retired" : "revoked")
    if (revoke === undefined) return
    output.notice(
      `objects that are wrapped to ${id} open with --allow-revoked only`,
      `\`s3ep rotate-key ${prefixUri(place)} -r\` moves them to the active epoch: before, or with --allow-revoked after`,
    )
  })
}

/** Open the keyring of a target, change it in memory, show what that makes of it, and store it. */
async function changing(
  session: Session,
  target: string,
  options: ConfirmOptions,
  work: (change: KeyringChange, before: OpenKeyring, place: KeyringPlace) => Promise<void>,
): Promise<void> {
  const place = keyringPlace(parseAddress(target))
  const context = await contextWith(session, await session.keys("read"))
  const { requesterPays } = session.settings
  using before = await openTrusted(context, place, { requesterPays })
  using change = changeKeyring(context, before, await session.publicKeks())
  await work(change, before, place)
  await settleChange(session, context, change, options)
}

export async function contextWith(session: Session, keys: KeySet): Promise<TransferContext> {
  return { ...(await session.transfer("none")), keys }
}

function find<K extends Named>(given: string, items: readonly K[], what: string): K {
  const found = pick(given, items)
  if (found) return found
  throw new UsageError(`${JSON.stringify(given)} is no ${what} of the keyring`, {
    hint: `there are ${namesOf(items)}`,
  })
}
