import { KeyMissingError, PreconditionError } from "../../errors.ts"
import type { NamedKey } from "../../keys/directory.ts"
import type { KekState } from "../../keys/kek.ts"
import { type KeyNeed, needsOnly } from "../../keys/need.ts"
import type { Session } from "../session.ts"
import { storedKey } from "../stored-keys.ts"
import { keyWitnesses } from "../witnesses.ts"

const MAX_NAMED = 3

const EFFECTS: Readonly<Record<KekState, string>> = {
  active: "it writes and reads",
  retired: "it reads, and nothing new is written to it",
  revoked: "it opens nothing any more, unless --allow-revoked is given",
}

/** `keys activate`, `keys retire`, `keys revoke`. */
export async function changeState(
  session: Session,
  name: string,
  state: KekState,
  { dryRun }: { readonly dryRun?: boolean },
): Promise<void> {
  const { directory } = await session.keysDirectory()
  const key = storedKey(name, await directory.list())
  const { id, state: before } = key
  const line = { type: dryRun ? "planned" : "state", action: "state", name: key.name, id, before, state }
  if (!dryRun && !(await directory.setState(key.name, state))) throw gone(key)
  session.output.report(line, () =>
    dryRun
      ? `would make ${key.name} (${id}) ${state}; it is ${before}`
      : `${key.name} (${id}) is ${state}: ${EFFECTS[state]}`,
  )
}

/** `keys remove`. */
export async function removeKey(
  session: Session,
  name: string,
  { force, dryRun }: { readonly force?: boolean; readonly dryRun?: boolean },
): Promise<void> {
  const { directory, sources } = await session.keysDirectory()
  const { keys, broken } = await directory.scan()
  // One that cannot be read cannot be looked for anywhere, and its name is all there is to go by.
  const unreadable = broken.find((key) => key.name === name)
  const { name: found, path, id } = unreadable ? { ...unreadable, id: null } : storedKey(name, keys)
  if (!force) {
    if (unreadable) {
      throw new PreconditionError(
        `cannot tell what the key ${found} is needed for: ${unreadable.error.message}`,
        {
          hint: `remove it all the same with --force`,
        },
      )
    }
    await refuseNeeded(session, found, id ?? "", keys)
  }
  const line = { type: dryRun ? "planned" : "removed", action: "remove", name: found, id, path }
  if (!dryRun && !(await directory.remove(found, sources)))
    throw new KeyMissingError(`the key file ${path} is gone`)
  session.output.report(line, () => `${dryRun ? "would remove" : "removed"} the key ${found} (${id ?? path})`)
}

/** What nobody could open any more; what is stored in buckets cannot be looked through. */
async function refuseNeeded(
  session: Session,
  name: string,
  id: string,
  keys: readonly NamedKey[],
): Promise<void> {
  if (keys.some((key) => key.id === id && key.name !== name)) return
  const { readers } = await session.keysAtHand("read")
  const needs: KeyNeed[] = []
  for (const witness of keyWitnesses(session)) needs.push(...needsOnly(id, readers, await witness()))
  if (needs.length === 0) return
  const named = needs.slice(0, MAX_NAMED).map(({ what }) => what)
  if (needs.length > MAX_NAMED) named.push(`${needs.length - MAX_NAMED} more`)
  throw new PreconditionError(`the key ${name} (${id}) is the only one known for ${named.join(", ")}`, {
    hint: "remove it all the same with --force; keep a copy first: `s3ep keys export`",
  })
}

function gone({ path }: NamedKey): KeyMissingError {
  return new KeyMissingError(`the key file ${path} is gone`)
}
