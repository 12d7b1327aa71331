import { UsageError } from "../errors.ts"
import type { ObjectSettings, ServerSideEncryption } from "../store/store.ts"
import type { UploadOptions } from "../transfer/upload-request.ts"
import type { Session } from "./session.ts"

/** The options of `put` and `mp-upload` that are no settings, as commander has them. */
export interface WriteOptions {
  /** `--no-clobber` makes it false. */
  readonly clobber: boolean
  readonly ifNoneMatch?: "*"
  readonly contentType?: string
  readonly cacheControl?: string
  readonly contentDisposition?: string
  readonly contentEncoding?: string
  readonly contentLanguage?: string
  readonly metadata?: readonly string[]
  readonly tag?: readonly string[]
  readonly acl?: string
  readonly sse?: "AES256" | "aws:kms"
  readonly sseKmsKeyId?: string
  readonly objectLockMode?: "GOVERNANCE" | "COMPLIANCE"
  readonly objectLockRetainUntil?: string
  readonly legalHold?: boolean
}

/** Tokens of RFC 9110, which is what the name of a header is made of; S3 makes them lower case. */
const METADATA_NAME = /^[\w!#$%&'*+.^`|~-]+$/
const RESERVED_PREFIX = "s3ep-"
const MAX_TAGS = 10
const ISO_TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))?$/

/**
 * What the options ask of every object that is written.
 *
 * @throws {UsageError} naming the option that cannot be used.
 */
export async function readWriteOptions(
  session: Session,
  options: WriteOptions,
): Promise<Omit<UploadOptions, "address">> {
  const { partSize, chunkSize, concurrency, checksum, requesterPays } = session.settings
  return {
    settings: await objectSettings(session, options),
    conditions: mustBeNew(options) ? { ifNoneMatch: "*" } : undefined,
    checksum,
    partBytes: partSize,
    chunkBytes: chunkSize,
    concurrency,
    requesterPays,
  }
}

/** Whether an object that exists is to stay. */
export function mustBeNew({ clobber, ifNoneMatch }: WriteOptions): boolean {
  return !clobber || ifNoneMatch !== undefined
}

async function objectSettings(session: Session, options: WriteOptions): Promise<ObjectSettings> {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, acl } = options
  return {
    metadata: parseMetadata(options.metadata ?? []),
    contentType,
    cacheControl,
    contentDisposition,
    contentEncoding,
    contentLanguage,
    storageClass: session.settings.storageClass,
    acl,
    tags: parseTags(options.tag ?? []),
    encryption: await serverSideEncryption(session, options),
    retention: parseRetention(options, session.io.clock.now()),
    legalHold: options.legalHold,
  }
}

function parseMetadata(given: readonly string[]): Record<string, string> {
  const metadata = parsePairs("--metadata", given, (name) => name.toLowerCase())
  for (const [name, value] of Object.entries(metadata)) {
    if (!METADATA_NAME.test(name)) {
      throw new UsageError(`option --metadata: ${JSON.stringify(name)} cannot be the name of metadata`, {
        hint: "use letters, digits and hyphens",
      })
    }
    if (name.startsWith(RESERVED_PREFIX)) {
      throw new UsageError(`option --metadata: names that begin with ${RESERVED_PREFIX} are for s3ep itself`)
    }
    if (!/^[\x20-\x7e]*$/.test(value)) {
      throw new UsageError(`option --metadata: the value of ${name} is not plain ASCII`, {
        hint: "encode it, for example in percent or base64 encoding",
      })
    }
  }
  return metadata
}

function parseTags(given: readonly string[]): Record<string, string> | undefined {
  if (given.length === 0) return undefined
  const tags = parsePairs("--tag", given, (name) => name)
  const count = Object.keys(tags).length
  if (count > MAX_TAGS)
    throw new UsageError(`option --tag: an object has ${MAX_TAGS} tags at most, not ${count}`)
  return tags
}

function parsePairs(
  option: string,
  given: readonly string[],
  nameOf: (name: string) => string,
): Record<string, string> {
  const pairs = new Map<string, string>()
  for (const pair of given) {
    const equals = pair.indexOf("=")
    if (equals < 1) {
      throw new UsageError(`option ${option}: ${JSON.stringify(pair)} is not NAME=VALUE`)
    }
    const name = nameOf(pair.slice(0, equals))
    if (pairs.has(name)) throw new UsageError(`option ${option}: ${JSON.stringify(name)} is given twice`)
    pairs.set(name, pair.slice(equals + 1))
  }
  return Object.fromEntries(pairs)
}

async function serverSideEncryption(
  session: Session,
  { sse, sseKmsKeyId }: WriteOptions,
): Promise<ServerSideEncryption | undefined> {
  const key = await session.customerKey()
  if (key && (sse !== undefined || sseKmsKeyId !== undefined)) {
    throw new UsageError("an SSE-C key cannot be used together with --sse or --sse-kms-key-id", {
      hint: "leave one out; S3EP_SSE_C_KEY and S3EP_SSE_C_KEY_FILE count too",
    })
  }
  if (key) return { kind: "sse-c", key }
  if (sse === "AES256") {
    if (sseKmsKeyId === undefined) return { kind: "sse-s3" }
    throw new UsageError("--sse-kms-key-id goes with --sse aws:kms, not with AES256")
  }
  if (sse === undefined && sseKmsKeyId === undefined) return undefined
  return { kind: "sse-kms", keyId: sseKmsKeyId }
}

function parseRetention(
  { objectLockMode: mode, objectLockRetainUntil: given }: WriteOptions,
  now: number,
): ObjectSettings["retention"] {
  if (mode === undefined && given === undefined) return undefined
  if (mode === undefined || given === undefined) {
    throw new UsageError("--object-lock-mode and --object-lock-retain-until go together", {
      hint: `add --object-lock-${mode === undefined ? "mode GOVERNANCE" : "retain-until 2030-01-01T00:00:00Z"}`,
    })
  }
  const until = new Date(given)
  if (!ISO_TIME.test(given) || Number.isNaN(until.getTime())) {
    throw new UsageError(`option --object-lock-retain-until: ${JSON.stringify(given)} is not usable`, {
      hint: "give an ISO 8601 time with its zone, such as 2030-01-01T00:00:00Z",
    })
  }
  if (until.getTime() <= now) {
    throw new UsageError(`option --object-lock-retain-until: ${given} is not in the future`)
  }
  return { mode, until }
}
