import { IntegrityError, NotFoundError } from "../../errors.ts"
import type { ObjectAddress } from "../../store/store.ts"
import { forEachConcurrent } from "../../transfer/concurrent.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { listObjects } from "../../transfer/list.ts"
import { objectUri } from "../../transfer/naming.ts"
import { verifyObject } from "../../transfer/verify.ts"
import { isPrefix, parseAddress, parseObject } from "../address.ts"
import { Batch, forEachItem } from "../batch.ts"
import { type ExpectationOptions, readExpectation } from "../expectation.ts"
import type { Session } from "../session.ts"
import { formatBytes } from "../text.ts"
import { expectManyObjects } from "../young-generation.ts"
import { foreignTitle } from "./fetched.ts"

export interface VerifyOptions extends ExpectationOptions {
  readonly recursive?: boolean
  readonly versionId?: string
}

/** Objects; each reads several windows at once. */
const AT_ONCE = 4
const INTEGRITY_STATUS = new IntegrityError("").exitCode

/** `verify`: one damaged object is what the run ends with, whatever became of the others. */
export async function verify(
  session: Session,
  targets: readonly string[],
  options: VerifyOptions,
): Promise<void> {
  const addresses = targets.map(options.recursive ? parseAddress : parseObject)
  const expect = readExpectation(options, !options.recursive && targets.length === 1)
  const context = await session.transfer("read", [], { expect })
  const { concurrency, requesterPays } = session.settings
  const customerKey = await session.customerKey()
  session.interruptionHint = "run the same command again"
  const check = async (address: ObjectAddress, listedBytes?: number): Promise<void> => {
    const { versionId } = options
    const request = { address, versionId, listedBytes, concurrency, requesterPays, customerKey }
    const { bytes, storedBytes, kek, format } = await verifyObject(context, request)
    const { id, verdict } = format
    const uri = objectUri(address)
    const line = { type: "verified", uri, bytes, storedBytes, kek: kek?.id ?? null, format: id, verdict }
    session.output.report(line, ({ uri, bytes }) => {
      const how = verdict === "broken" ? "opened, which proves nothing:" : "verified"
      return `${how} ${uri} (${formatBytes(bytes)}${foreignTitle(format)})`
    })
    session.output.count("verified", 1)
    session.output.count("bytes", bytes)
  }
  if (!options.recursive) {
    return forEachItem(session, "object", addresses, objectUri, check, INTEGRITY_STATUS)
  }
  expectManyObjects()
  const batch = new Batch(session, "object")
  for (const address of addresses) {
    let found = 0
    await forEachConcurrent(objectsBelow(context, address, requesterPays), AT_ONCE, async (object) => {
      found++
      await batch.run(objectUri(object.address), () => check(object.address, object.storedBytes))
    })
    if (found === 0 && address.key !== "") throw nothingThere(address)
  }
  batch.finish(INTEGRITY_STATUS)
}

/** The objects of a tree, without what s3ep keeps for itself unless it is asked for: what lies below `photos` is not what merely begins with it, such as `photos-2`. */
export async function* objectsBelow(
  context: TransferContext,
  { bucket, key }: ObjectAddress,
  requesterPays: boolean,
  options: { readonly reserved?: boolean } = {},
): AsyncGenerator<{ address: ObjectAddress; storedBytes: number }, void, undefined> {
  const prefix = isPrefix({ bucket, key }) ? key : `${key}/`
  for await (const found of listObjects(context, bucket, prefix, {
    ...options,
    recursive: true,
    requesterPays,
  })) {
    if (found.kind !== "object") continue
    yield { address: { bucket, key: found.key }, storedBytes: found.storedBytes }
  }
}

export function nothingThere(address: ObjectAddress): NotFoundError {
  return new NotFoundError(`there is nothing under ${objectUri(address)}`, { what: "object" })
}
