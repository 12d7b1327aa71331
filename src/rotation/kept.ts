import { RESERVED_PREFIX } from "../envelope/metadata.ts"
import { IntegrityError, S3epError, UnavailableError } from "../errors.ts"
import type {
  Acl,
  CustomerKey,
  Grant,
  ObjectAddress,
  ObjectInfo,
  ObjectSettings,
  ServerSideEncryption,
} from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import { objectUri } from "../transfer/naming.ts"
import type { RotationRequest } from "./request.ts"

/** What an object keeps beside its headers, and a copy may lose. */
export interface Extras {
  /** Undefined if it has none, or the service does not say. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** Undefined if it is the owner's alone, as any new object is. */
  readonly acl?: Acl | undefined
}

/** What must be sent with a copy, or a new body, for everything about the object to survive. */
export function settingsOf(
  info: ObjectInfo,
  metadata: Readonly<Record<string, string>>,
  { acl }: Extras,
  options: { readonly customerKey: CustomerKey | undefined; readonly nowMs: number },
): ObjectSettings {
  const { retention, legalHold } = info
  const until = retention?.until
  const locked = until !== undefined && until.getTime() > options.nowMs
  // Who may write to an object is nothing a header can say; it is set afterwards.
  const grants = acl?.grants.filter(({ permission }) => permission !== "WRITE")
  return {
    metadata,
    contentType: info.contentType,
    cacheControl: info.cacheControl,
    contentDisposition: info.contentDisposition,
    contentEncoding: info.contentEncoding,
    contentLanguage: info.contentLanguage,
    expires: info.expires,
    websiteRedirect: info.websiteRedirect,
    storageClass: info.storageClass,
    encryption: encryptionOf(info, options.customerKey),
    grants,
    ...(locked && { retention: { mode: modeOf(retention?.mode), until } }),
    ...(legalHold && { legalHold }),
  }
}

/** User metadata that is not s3ep's. */
export function othersOf({ metadata }: ObjectInfo): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => !name.startsWith(RESERVED_PREFIX)))
}

function encryptionOf(
  info: ObjectInfo,
  customerKey: CustomerKey | undefined,
): ServerSideEncryption | undefined {
  if (info.customerEncrypted) return customerKey && { kind: "sse-c", key: customerKey }
  switch (info.serverSideEncryption) {
    case undefined:
      return undefined
    case "aws:kms":
    case "aws:kms:dsse":
      return {
        kind: "sse-kms",
        keyId: info.kmsKeyId,
        bucketKey: info.bucketKey,
        dual: info.serverSideEncryption === "aws:kms:dsse",
      }
    default:
      return { kind: "sse-s3" }
  }
}

function modeOf(mode: string | undefined): "GOVERNANCE" | "COMPLIANCE" {
  return mode === "COMPLIANCE" ? "COMPLIANCE" : "GOVERNANCE"
}

/** Reads what HEAD does not tell, and asks each bucket once whether there are ACLs at all. */
export class ExtrasReader {
  readonly #context: TransferContext
  readonly #request: Pick<RotationRequest, "acls" | "requesterPays">
  readonly #acls = new Map<string, Promise<boolean>>()

  constructor(context: TransferContext, request: Pick<RotationRequest, "acls" | "requesterPays">) {
    this.#context = context
    this.#request = request
  }

  async read(address: ObjectAddress, info: ObjectInfo): Promise<Extras> {
    const { store, signal } = this.#context
    const options = { signal, requesterPays: this.#request.requesterPays }
    const tags = info.tagCount ? await store.getTags(address, options) : undefined
    if (!(await this.hasAcls(address.bucket))) return { tags }
    const acl = await store
      .getAcl(address, options)
      .catch((error: unknown) => this.#withoutAcls(address, error))
    return { tags, acl: acl && !isOwnersAlone(acl) ? acl : undefined }
  }

  async hasAcls(bucket: string): Promise<boolean> {
    if (this.#request.acls === false) return false
    const { store, signal } = this.#context
    const { requesterPays } = this.#request
    const asked = this.#acls.get(bucket) ?? store.hasAcls(bucket, { signal, requesterPays })
    this.#acls.set(bucket, asked)
    return asked
  }

  // Services without ACLs answer in many ways; those who may not read them must say that they do without.
  #withoutAcls({ bucket, key }: ObjectAddress, error: unknown): undefined {
    const ours = error instanceof S3epError && !(error instanceof UnavailableError)
    if (!ours || error.exitCode !== 2) throw error
    this.#acls.set(bucket, Promise.resolve(false))
    this.#context.onProgress({
      type: "notice",
      message: `ACLs in s3://${bucket} are left alone: the service does not show that of ${key}`,
    })
  }
}

/** Sees to it that what was written has the tags and the ACL of what it replaced: not every service carries them over. */
export async function restoreExtras(
  { store, signal }: TransferContext,
  request: Pick<RotationRequest, "requesterPays">,
  address: ObjectAddress,
  written: Pick<ObjectInfo, "versionId">,
  { tags, acl }: Extras,
): Promise<void> {
  const { versionId } = written
  const options = { signal, requesterPays: request.requesterPays, versionId }
  if (tags && !sameTags(tags, await store.getTags(address, options))) {
    await store.putTags(address, tags, options)
  }
  if (acl && !sameGrants(acl.grants, (await store.getAcl(address, options)).grants)) {
    await store.putAcl(address, acl, options)
  }
}

/** @throws {IntegrityError} if an object that was just copied is not of the length it had. */
export function checkLength(address: ObjectAddress, before: ObjectInfo, after: ObjectInfo): void {
  if (before.bytes === after.bytes) return
  throw new IntegrityError(
    `${objectUri(address)} has ${after.bytes} bytes after it was copied, and had ${before.bytes}`,
  )
}

function isOwnersAlone({ owner, grants }: Acl): boolean {
  const [first, ...others] = grants
  return (
    others.length === 0 && (!first || (first.permission === "FULL_CONTROL" && first.grantee.id === owner))
  )
}

function sameTags(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

function sameGrants(a: readonly Grant[], b: readonly Grant[]): boolean {
  const canonical = (grants: readonly Grant[]) =>
    grants
      .map(({ grantee, permission }) => `${grantee.kind} ${grantee.id} ${permission}`)
      .sort()
      .join("\n")
  return canonical(a) === canonical(b)
}
