import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  type CompleteMultipartUploadCommandOutput,
  CreateMultipartUploadCommand,
} from "@aws-sdk/client-s3"
import { UnavailableError, UnsupportedError, UsageError } from "../errors.ts"
import { combineParts } from "./crc-combine.ts"
import { settingsHeaders, withHeaders } from "./s3-headers.ts"
import { addressInput, callInput, conditionsInput, customerKeyInput, settingsInput } from "./s3-inputs.ts"
import { listParts } from "./s3-list-uploads.ts"
import { confirmLock } from "./s3-lock.ts"
import { storedOf } from "./s3-outputs.ts"
import { garbled } from "./s3-pages.ts"
import { headObject } from "./s3-read.ts"
import type { Sending } from "./s3-session.ts"
import { confirmTags } from "./s3-subresources.ts"
import { checkSettings, checksumFor, confirmEncryption, type S3Context, withChecksum } from "./s3-write.ts"
import type {
  CallOptions,
  Checksum,
  ChecksumChoice,
  CompleteOptions,
  CreateUploadOptions,
  ObjectAddress,
  StoredObject,
  UploadChecksum,
  UploadedPart,
} from "./store.ts"

export async function createUpload(
  context: S3Context,
  address: ObjectAddress,
  options: CreateUploadOptions,
): Promise<string> {
  const { settings } = options
  await checkSettings(context, address, settings)
  const action = `start an upload of s3://${address.bucket}/${address.key}`
  const sending: Sending = { action, bucket: address.bucket, about: "object", signal: options.signal }
  const { wholeChecksum } = options
  const choice = checksumFor(settings, options.checksum)
  const output = await withChecksum(context, "part-checksums", choice, (sendChecksum) =>
    context.session.run(sending, (client, http) =>
      client.send(
        withHeaders(
          new CreateMultipartUploadCommand({
            ...addressInput(address),
            ...callInput(options),
            ...settingsInput(settings),
            ...(sendChecksum && (wholeChecksum ? wholeInput(wholeChecksum) : algorithmInput(choice))),
          }),
          settingsHeaders(settings),
        ),
        http,
      ),
    ),
  )
  const uploadId = output.UploadId ?? ""
  if (uploadId === "") throw garbled(action, "the answer names no upload")
  // A service that keeps the parts' checksums says so here, and only then may Complete carry them.
  if (choice !== "none" && !wholeChecksum) {
    await context.dialect.learn("part-checksums", output.ChecksumAlgorithm !== undefined)
  }
  if (algorithmInput(choice).ChecksumType && !wholeChecksum) {
    await context.dialect.learn("full-object", output.ChecksumType === "FULL_OBJECT")
  }
  if (settings.encryption?.kind === "sse-c" && output.SSECustomerAlgorithm === undefined) {
    await abortUpload(context, address, uploadId, options)
  }
  await confirmEncryption(context, sending, settings, output)
  return uploadId
}

function algorithmInput(choice: ChecksumChoice): {
  ChecksumAlgorithm?: "CRC32" | "SHA256"
  ChecksumType?: "FULL_OBJECT"
} {
  if (choice === "sha256") return { ChecksumAlgorithm: "SHA256" }
  return choice === "none" ? {} : { ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" }
}

const ALGORITHMS = {
  crc32: "CRC32",
  crc32c: "CRC32C",
  crc64nvme: "CRC64NVME",
  sha1: "SHA1",
  sha256: "SHA256",
} as const

function wholeInput({ kind, type }: UploadChecksum) {
  return {
    ChecksumAlgorithm: ALGORITHMS[kind],
    ChecksumType: type === "full" ? ("FULL_OBJECT" as const) : ("COMPOSITE" as const),
  }
}

export async function completeUpload(
  context: S3Context,
  address: ObjectAddress,
  uploadId: string,
  parts: readonly UploadedPart[],
  options: CompleteOptions,
): Promise<StoredObject> {
  const { signal, customerKey } = options
  signal?.throwIfAborted()
  if (parts.length === 0) throw new RangeError("an upload has at least one part")
  const conditions = await context.conditions.toSend(address, "complete", options.conditions, {
    signal,
    customerKey,
  })
  const action = `complete the upload of s3://${address.bucket}/${address.key}`
  const sending: Sending = { action, bucket: address.bucket, about: "upload", signal }
  const complete = (checksums: Partial<CompleteMultipartUploadCommandInput>) =>
    context.session
      .run(sending, (client, http) =>
        client.send(
          new CompleteMultipartUploadCommand({
            ...addressInput(address),
            ...callInput(options),
            ...customerKeyInput(customerKey),
            ...conditionsInput(conditions),
            UploadId: uploadId,
            MultipartUpload: {
              Parts: parts.map((part) => ({ PartNumber: part.partNumber, ETag: part.etag })),
            },
            ...checksums,
          }),
          http,
        ),
      )
      .catch(async (error: unknown) => {
        // What RGW 16 answers for an upload that is gone; whether it is, ListParts knows.
        if (error instanceof UnavailableError && /already in progress/.test(error.message)) {
          for await (const _ of listParts(context.session, address, uploadId, { signal, customerKey })) break
        }
        throw error
      })
  const stored = async (output: CompleteMultipartUploadCommandOutput): Promise<StoredObject> => {
    const { etag, versionId } = storedOf(output)
    await confirmLock(context, address, { etag, versionId }, options.lock ?? {}, options)
    await confirmTags(context, address, options.tags, { ...options, versionId })
    // RGW 16 completes without saying the ETag.
    if (etag !== "") return { etag, versionId }
    const info = await headObject(context.session, address, { ...options, versionId })
    return { etag: info.etag, versionId: info.versionId }
  }
  const checksums = await checksumsInput(context, parts, options.checksum ?? "auto")
  if (!checksums) return stored(await complete({}))
  try {
    return stored(await complete(checksums))
  } catch (error) {
    // Refused before anything was done: the checksums of the parts have been verified already, so go without.
    if (!(error instanceof UsageError || error instanceof UnsupportedError)) throw error
    const output = await complete({}).catch((again: unknown) => {
      throw again instanceof UsageError || again instanceof UnsupportedError ? error : again
    })
    await context.dialect.learn("part-checksums", false)
    return stored(output)
  }
}

/** What Complete may carry of the parts' checksums, or null if the service does not keep any. */
async function checksumsInput(
  { dialect }: S3Context,
  parts: readonly UploadedPart[],
  choice: ChecksumChoice,
): Promise<Partial<CompleteMultipartUploadCommandInput> | null> {
  if (choice === "none" || (await dialect.offers("part-checksums")) !== true) return null
  const values = parts.flatMap(({ checksum, bytes }) => (checksum ? [{ ...checksum, bytes }] : []))
  if (values.length !== parts.length) return null
  const listed = (name: `Checksum${(typeof ALGORITHMS)[Checksum["kind"]]}`) => ({
    Parts: parts.map(({ partNumber, etag, checksum }) => ({
      PartNumber: partNumber,
      ETag: etag,
      [name]: checksum?.value,
    })),
  })
  const [first] = values
  if (first && first.kind !== "crc32" && values.every(({ kind }) => kind === first.kind)) {
    return { MultipartUpload: listed(`Checksum${ALGORITHMS[first.kind]}`) }
  }
  if (!values.every(({ kind }) => kind === "crc32")) return null
  if ((await dialect.offers("full-object")) !== true) return { MultipartUpload: listed("ChecksumCRC32") }
  const whole = combineParts(values.map(({ value, bytes }) => ({ crc32: value, bytes })))
  if (whole === null) return null
  const MpuObjectSize = values.reduce((sum, { bytes }) => sum + bytes, 0)
  const MultipartUpload = listed("ChecksumCRC32")
  return { MultipartUpload, MpuObjectSize, ChecksumCRC32: whole, ChecksumType: "FULL_OBJECT" }
}

export async function abortUpload(
  { session }: S3Context,
  address: ObjectAddress,
  uploadId: string,
  options: CallOptions = {},
): Promise<void> {
  const action = `abort the upload of s3://${address.bucket}/${address.key}`
  const sending: Sending = { action, bucket: address.bucket, about: "upload", signal: options.signal }
  await session.run(sending, (client, http) =>
    client.send(
      new AbortMultipartUploadCommand({
        ...addressInput(address),
        ...callInput(options),
        UploadId: uploadId,
      }),
      http,
    ),
  )
}
