import { commitChange } from "../../keyring/admin.ts"
import type { KeyringChange } from "../../keyring/change.ts"
import { diffKeyrings, type EpochChange, type KeyringDiff } from "../../keyring/diff.ts"
import { keyringUri, prefixUri } from "../../keyring/place.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { type ConfirmOptions, confirm } from "../confirm.ts"
import type { Session } from "../session.ts"

/** Show a change of a keyring, have it agreed to, and store it. */
export async function settleChange(
  session: Session,
  context: TransferContext,
  change: KeyringChange,
  options: ConfirmOptions,
): Promise<void> {
  const { output, settings } = session
  const { place, before } = change
  const diff = diffKeyrings(before?.keyring ?? null, change.keyring)
  const line = {
    type: options.dryRun ? "planned" : "change",
    action: before ? "change" : "create",
    uri: keyringUri(place),
    id: change.keyring.id,
    ...diff,
  }
  output.report(line, () =>
    [`${keyringUri(place)} (id ${change.keyring.id})`, ...describeDiff(diff)].join("\n"),
  )
  if (options.dryRun) {
    output.count("planned", 1)
    return
  }
  await confirm(session, before ? "change the keyring?" : "make the keyring?", options)
  const { requesterPays } = settings
  const { generation, id } = await commitChange(context, change, { requesterPays })
  const done = { type: "changed", uri: keyringUri(place), id, generation }
  output.report(done, () =>
    before
      ? `changed the keyring of ${prefixUri(place)}: generation ${generation}`
      : `made the keyring of ${prefixUri(place)}: what is put below is encrypted to it from now on`,
  )
  if (!before) {
    output.notice(
      "what is stored below it already stays encrypted to the keys it has",
      `\`s3ep rotate-key ${prefixUri(place)} -r\` moves it to the keyring`,
    )
  }
  output.count("changed", 1)
}

/** One line for each difference, `+` what comes, `-` what goes, `~` what becomes of what stays. */
export function describeDiff({ generation, added, removed, renewed, epochs }: KeyringDiff): string[] {
  return [
    `~ generation ${generation.from} becomes ${generation.to}`,
    ...removed.map(({ kek, name }) => `- recipient ${name} (${kek})`),
    ...renewed.map(({ name, from, to }) => `~ recipient ${name}: ${from} becomes ${to}`),
    ...added.map(({ kek, name }) => `+ recipient ${name} (${kek})`),
    ...epochs.map(describeEpoch),
  ].map((line) => `  ${line}`)
}

function describeEpoch({ kek, from, to }: EpochChange): string {
  if (to === null) return `- epoch ${kek}`
  return from === null ? `+ epoch ${kek}, ${to}` : `~ epoch ${kek}: ${from} becomes ${to}`
}
