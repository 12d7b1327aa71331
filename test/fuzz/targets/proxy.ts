import { NotFramedError, unframe } from "../../../src/compat/aws-chunked.ts"
import { S3EncryptionProxyFormat } from "../../../src/compat/s3-encryption-proxy.ts"
import { proxyAesKey } from "../../../src/compat/s3-encryption-proxy-providers.ts"
import { IntegrityError, KeyMissingError } from "../../../src/errors.ts"
import { all, expecting, piecesOf, textOf } from "../support.ts"

/** Of the objects in the corpus. */
const KEY = proxyAesKey("this is a 32 byte literal key!!!", "fuzz")
const FORMAT = new S3EncryptionProxyFormat({
  keys: async function* () {
    yield KEY
  },
})

/**
 * An object of S3 Encryption Proxy, its metadata as lines of `name=value`, an empty line, its body: it is refused, or
 * not recognised, or opened; and a body as what may be framed: the framing is taken away, or there is none.
 */
export async function fuzz(data: Uint8Array): Promise<void> {
  const [mode = 0] = data
  const rest = data.subarray(1)
  if (mode % 4 === 3) {
    await expecting([NotFramedError], () => all(unframe(piecesOf(rest, 1 + (mode >> 2)))))
    return
  }
  const gap = Buffer.from(rest).indexOf("\n\n")
  const body = gap < 0 ? new Uint8Array(0) : rest.subarray(gap + 2)
  const metadata = metadataOf(textOf(gap < 0 ? rest : rest.subarray(0, gap)))
  await expecting([IntegrityError, KeyMissingError], async () => {
    const found = {
      objectKey: "k",
      metadata,
      bytes: body.length,
      parts: mode % 4,
      head: body.subarray(0, 80),
    }
    const reader = FORMAT.recognise(found)
    if (!reader) return
    using opened = await reader.open()
    const plaintext = await all(opened.decrypt(piecesOf(body, 1 + (mode >> 2))))
    if (plaintext.length !== reader.plaintextBytes) throw new Error("another length than was said")
  })
  if (Object.keys(Object.prototype).length > 0) throw new Error("a prototype was changed")
}

function metadataOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split("\n").map((line) => {
      const at = line.indexOf("=")
      return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)]
    }),
  )
}
