import { partInput, partSending } from "./s3-inputs.ts"
import { etagOf } from "./s3-outputs.ts"
import { payload } from "./s3-payload.ts"
import { type S3Context, withChecksum } from "./s3-write.ts"
import type { Checksum, ObjectAddress, PartBody, PartOptions, UploadedPart } from "./store.ts"

export async function uploadPart(
  context: S3Context,
  address: ObjectAddress,
  uploadId: string,
  partNumber: number,
  body: PartBody,
  options: PartOptions,
): Promise<UploadedPart> {
  if (!(body instanceof Uint8Array)) {
    const { streamPart } = await import("./s3-stream-part.ts")
    return streamPart(context, address, uploadId, partNumber, body, options)
  }
  const choice = options.checksum ?? "auto"
  let sent = 0
  const onSent = options.onSent && counted(options.onSent, (bytes) => (sent += bytes))
  const sending = partSending(address, partNumber, options.signal)
  const input = partInput(address, uploadId, partNumber, options)
  return withChecksum(context, "checksum", choice, async (sendChecksum) => {
    let checksum: Checksum | undefined
    const output = await context.session.ask(sending, "UploadPart", input, () => {
      if (sent > 0) onSent?.(-sent)
      const prepared = payload(body, choice, { sendChecksum, onSent })
      checksum = prepared.checksum
      return prepared
    })
    return { partNumber, etag: etagOf(output.ETag), bytes: body.length, checksum }
  })
}

function counted(onSent: (bytes: number) => void, count: (bytes: number) => void): (bytes: number) => void {
  return (bytes) => {
    count(bytes)
    onSent(bytes)
  }
}
