import { utf8 } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { encodeEnvelope, parseEnvelope } from "../../../src/envelope/codec.ts"
import { openEnvelope } from "../../../src/envelope/envelope.ts"
import { readFileHeader } from "../../../src/envelope/file.ts"
import { fromUserMetadata, toUserMetadata } from "../../../src/envelope/metadata.ts"
import { openPrivateMetadata, sealPrivateMetadata } from "../../../src/envelope/private-metadata.ts"
import { IntegrityError, KeyMissingError, UsageError } from "../../../src/errors.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import { expecting, piecesOf, textOf } from "../support.ts"

const kek = aesKek(new SecretBytes(new Uint8Array(32).fill(1)), "fuzz")
const dek = new SecretBytes(new Uint8Array(32).fill(2))
const ROOM = { maxMetadataBytes: 1_000_000, maxMetadataValueBytes: 256 }

/**
 * The envelope, wherever it comes from: JSON, user metadata, the header of a file. It is refused as damaged, or read
 * into something that is written and read again as the same; and nothing pollutes prototypes.
 */
export async function fuzz(data: Uint8Array): Promise<void> {
  const [mode = 0] = data
  const rest = data.subarray(1)
  if (mode % 4 === 0) await expecting([IntegrityError], () => readAndWrite(rest))
  if (mode % 4 === 1) await expecting([IntegrityError], () => fromUserMetadata(metadataOf(textOf(rest))))
  if (mode % 4 === 2) {
    await expecting([IntegrityError], async () => {
      const { body } = await readFileHeader(piecesOf(rest, 1 + (mode >> 2)))
      await body.return?.()
    })
  }
  if (mode % 4 === 3)
    await expecting([IntegrityError], () => openPrivateMetadata({ meta: textOf(rest) }, dek))
  if (Object.keys(Object.prototype).length > 0) throw new Error("a prototype was changed")
}

async function readAndWrite(json: Uint8Array): Promise<void> {
  const envelope = parseEnvelope(json)
  const text = encodeEnvelope(envelope)
  if (encodeEnvelope(parseEnvelope(utf8(text))) !== text)
    throw new Error("read again, it is another envelope")
  await expecting([UsageError], () => {
    const back = fromUserMetadata(toUserMetadata(envelope, ROOM))
    if (!back || encodeEnvelope(back) !== text) throw new Error("from metadata, it is another envelope")
  })
  await expecting([IntegrityError, KeyMissingError], async () => {
    const opened = await openEnvelope(envelope, { objectKey: "a", readers: [kek] })
    opened.dek[Symbol.dispose]()
    throw new Error("opened what nobody wrapped")
  })
  const meta = sealPrivateMetadata({ name: text.slice(0, 200) }, dek, new Uint8Array(12))
  openPrivateMetadata({ meta }, dek)
}

/** Lines of `name=value`, some of them with the names an envelope has. */
function metadataOf(text: string): Record<string, string> {
  const names = ["s3ep-format", "s3ep-envelope-0", "S3EP-Envelope-1", "s3ep-kek-fingerprint"]
  return Object.fromEntries(
    text.split("\n").map((line, index) => {
      const at = line.indexOf("=")
      return at > 0 ? [line.slice(0, at), line.slice(at + 1)] : [names[index % names.length] ?? "", line]
    }),
  )
}
