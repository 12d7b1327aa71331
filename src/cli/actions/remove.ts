import { isReserved } from "../../envelope/reserved.ts"
import { NotFoundError, UsageError } from "../../errors.ts"
import type { ObjectAddress } from "../../store/store.ts"
import { forEachConcurrent } from "../../transfer/concurrent.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { objectUri } from "../../transfer/naming.ts"
import { isPrefix, parseAddress, parseObject } from "../address.ts"
import { Batch } from "../batch.ts"
import type { Session } from "../session.ts"
import { nothingThere, objectsBelow } from "./verify.ts"

export interface RemoveOptions {
  readonly recursive?: boolean
  readonly dryRun?: boolean
  readonly versionId?: string
  readonly bypassGovernance?: boolean
  readonly reserved?: boolean
}

/** Requests. */
const AT_ONCE = 16

/** `rm`. */
export async function remove(
  session: Session,
  targets: readonly string[],
  options: RemoveOptions,
): Promise<void> {
  const { recursive, dryRun, versionId, bypassGovernance, reserved } = options
  if (versionId !== undefined && (recursive || targets.length > 1)) {
    throw new UsageError("--version-id names a version of one object", {
      hint: "give that object alone, without -r",
    })
  }
  const addresses = targets.map(recursive ? parseAddress : parseObject)
  const own = addresses.find(({ key }) => isReserved(key))
  if (own && !reserved) {
    throw new UsageError(
      `${objectUri(own)} is s3ep's own: without its keyring nothing below a prefix can be read`,
      {
        hint: "if that is meant, add --reserved",
      },
    )
  }
  const context = await session.transfer("none")
  const { requesterPays } = session.settings
  if (!recursive)
    for (const address of addresses.filter(isPrefix)) await refusePrefix(context, address, requesterPays)
  const { store, signal } = context
  session.interruptionHint = "run the same command again for the rest"
  const one = async (address: ObjectAddress): Promise<void> => {
    const line = { uri: objectUri(address), versionId: versionId ?? null }
    if (dryRun) {
      session.output.report(
        { type: "planned", action: "delete", ...line },
        ({ uri }) => `would delete ${uri}`,
      )
      session.output.count("planned", 1)
      return
    }
    await store.delete(address, { versionId, bypassGovernance, requesterPays, signal })
    session.output.report({ type: "deleted", ...line }, ({ uri }) => `deleted ${uri}`)
    session.output.count("deleted", 1)
  }
  const [only] = addresses
  if (!recursive && only && addresses.length === 1) return one(only)
  const batch = new Batch(session, "object")
  for (const address of addresses) {
    if (!recursive) {
      await batch.run(objectUri(address), () => one(address))
      continue
    }
    let found = 0
    const objects = objectsBelow(context, address, requesterPays, { reserved: true })
    await forEachConcurrent(objects, AT_ONCE, async ({ address: object }) => {
      found++
      if (isReserved(object.key) && !reserved) {
        session.output.notice(
          `left ${objectUri(object)}: it is s3ep's own`,
          "add --reserved to delete it too",
        )
        return
      }
      await batch.run(objectUri(object), () => one(object))
    })
    if (found === 0) throw nothingThere(address)
  }
  batch.finish()
}

// An object may have such a key; more often -r was forgotten, and S3 deletes what is not there without a word.
async function refusePrefix(
  { store, signal }: TransferContext,
  address: ObjectAddress,
  requesterPays: boolean,
): Promise<void> {
  try {
    await store.head(address, { requesterPays, signal })
  } catch (error) {
    if (!(error instanceof NotFoundError) || error.what !== "object") throw error
    const uri = objectUri(address)
    throw new UsageError(`${uri} is a prefix, not an object`, { hint: `s3ep rm -r ${uri} --dry-run` })
  }
}
