import {
  CopyObjectCommand,
  type CopyObjectCommandInput,
  UploadPartCopyCommand,
  type UploadPartCopyCommandInput,
} from "@aws-sdk/client-s3"
import { PreconditionError } from "../errors.ts"
import { settingsHeaders, withHeaders } from "./s3-headers.ts"
import {
  addressInput,
  callInput,
  conditionsInput,
  customerKeyInput,
  partSending,
  quoted,
  settingsInput,
  tagging,
} from "./s3-inputs.ts"
import { confirmLock } from "./s3-lock.ts"
import { checksumOf, etagOf, storedOf } from "./s3-outputs.ts"
import { headObject } from "./s3-read.ts"
import type { Sending } from "./s3-session.ts"
import { getTags, putTags } from "./s3-subresources.ts"
import { checkSettings, confirmEncryption, type S3Context } from "./s3-write.ts"
import type {
  CopyOptions,
  CopySource,
  ObjectAddress,
  PartCopyOptions,
  StoredObject,
  UploadedPart,
} from "./store.ts"

export async function copyObject(
  context: S3Context,
  source: CopySource,
  target: ObjectAddress,
  options: CopyOptions,
): Promise<StoredObject> {
  const { settings, signal } = options
  await checkSettings(context, target, settings)
  const customerKey = settings.encryption?.kind === "sse-c" ? settings.encryption.key : undefined
  const pin = await context.conditions.forCopy(source, target, options.conditions, { signal, customerKey })
  const forgotten = await tagsToRestore(context, source, options)
  const sending = copying(target, options)
  const output = await context.session.run(sending, (client, http) => {
    const command = new CopyObjectCommand({
      ...addressInput(target),
      ...callInput(options),
      ...sourceInput(source),
      ...settingsInput(settings),
      ...(pin.source === "standard" && ifMatchInput(source)),
      ...conditionsInput(pin.target),
      MetadataDirective: "REPLACE",
      TaggingDirective: settings.tags ? "REPLACE" : "COPY",
      ...(settings.tags && { Tagging: tagging(settings.tags) }),
    })
    const own = pin.source === "rgw" && source.ifMatch !== undefined
    return client.send(
      withHeaders(command, {
        ...settingsHeaders(settings),
        ...(own && { "x-amz-copy-if-match": source.ifMatch }),
      }),
      http,
    )
  })
  await confirmEncryption(context, sending, settings, output)
  const { versionId } = storedOf(output)
  const stored = { etag: etagOf(output.CopyObjectResult?.ETag), versionId }
  await confirmLock(context, target, stored, settings, { ...options, customerKey })
  if (forgotten) await restoreTags(context, target, stored, forgotten, { ...options, customerKey })
  return stored
}

export async function uploadPartCopy(
  context: S3Context,
  source: CopySource,
  address: ObjectAddress,
  uploadId: string,
  partNumber: number,
  options: PartCopyOptions,
): Promise<UploadedPart> {
  const { range, signal } = options
  const honoured = await context.conditions.honoursSource(address.bucket, signal)
  const sending = partSending(address, partNumber, signal)
  const output = await context.session.run(sending, (client, http) =>
    client.send(
      new UploadPartCopyCommand({
        ...addressInput(address),
        ...callInput(options),
        ...customerKeyInput(options.customerKey),
        ...sourceInput(source),
        ...(honoured && ifMatchInput(source)),
        ...(range && { CopySourceRange: `bytes=${range.start}-${range.end - 1}` }),
        UploadId: uploadId,
        PartNumber: partNumber,
      }),
      http,
    ),
  )
  const result = output.CopyPartResult
  const bytes = range ? range.end - range.start : 0
  return { partNumber, etag: etagOf(result?.ETag), bytes, checksum: checksumOf(result ?? {}) }
}

function copying(target: ObjectAddress, { signal }: CopyOptions): Sending {
  const action = `copy inside the store to s3://${target.bucket}/${target.key}`
  return { action, bucket: target.bucket, about: "object", signal }
}

type SourceInput = Pick<
  CopyObjectCommandInput & UploadPartCopyCommandInput,
  "CopySource" | "CopySourceSSECustomerAlgorithm" | "CopySourceSSECustomerKey"
>

/** The header holds a path: its parts are percent-encoded, as a URL's are. */
function sourceInput({ address, versionId, customerKey }: CopySource): SourceInput {
  const path = [address.bucket, ...address.key.split("/")].map(encodeURIComponent).join("/")
  const { SSECustomerKey } = customerKeyInput(customerKey)
  return {
    CopySource: versionId === undefined ? path : `${path}?versionId=${encodeURIComponent(versionId)}`,
    ...(SSECustomerKey !== undefined && {
      CopySourceSSECustomerAlgorithm: "AES256",
      CopySourceSSECustomerKey: SSECustomerKey,
    }),
  }
}

function ifMatchInput({ ifMatch }: CopySource): { CopySourceIfMatch?: string } {
  return ifMatch === undefined ? {} : { CopySourceIfMatch: quoted(ifMatch) }
}

/** The tags the copy must have, if the service is not known to see to that itself. */
async function tagsToRestore(
  { session, dialect }: S3Context,
  { address, versionId }: CopySource,
  { settings, ...call }: CopyOptions,
): Promise<Readonly<Record<string, string>> | null> {
  if ((await dialect.offers("copy-tags")) === true) return null
  const tags = settings.tags ?? (await getTags(session, address, { ...call, versionId }))
  return Object.keys(tags).length === 0 ? null : tags
}

/** What was copied is told from what somebody else wrote meanwhile by its ETag, or its version. */
async function restoreTags(
  context: S3Context,
  target: ObjectAddress,
  { etag, versionId }: StoredObject,
  tags: Readonly<Record<string, string>>,
  options: Omit<CopyOptions, "settings"> & { customerKey: CopySource["customerKey"] },
): Promise<void> {
  const info = await headObject(context.session, target, { ...options, versionId })
  if (info.etag !== etag)
    throw new PreconditionError(`cannot tag s3://${target.bucket}/${target.key}: it changed meanwhile`)
  const kept = info.tagCount === Object.keys(tags).length
  await context.dialect.learn("copy-tags", kept)
  if (!kept) await putTags(context, target, tags, { ...options, versionId })
}
