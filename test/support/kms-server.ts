import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"

/** What the server was asked, as it arrived. */
export interface KmsRequest {
  readonly operation: string
  readonly body: Readonly<Record<string, unknown>>
  readonly authorization: string
}

export interface KmsServer extends AsyncDisposable {
  readonly endpoint: string
  readonly requests: readonly KmsRequest[]
  /** Answers the next requests with this error of KMS. */
  failWith(error: { status: number; type: string; message: string } | null): void
}

const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * A KMS for tests: Encrypt and Decrypt in the JSON 1.1 protocol of AWS, over keys it makes when they are first named.
 * A ciphertext opens with the key and the encryption context it was made with, and with no other.
 *
 * @see AWS KMS API Reference, "Encrypt", "Decrypt" and "Common errors"
 */
export async function startKmsServer(): Promise<KmsServer> {
  const keys = new Map<string, Buffer>()
  const requests: KmsRequest[] = []
  let failure: { status: number; type: string; message: string } | null = null
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" })
      response.end(JSON.stringify(body))
    }
    const operation = String(request.headers["x-amz-target"]).replace("TrentService.", "")
    const body = await jsonOf(request)
    requests.push({ operation, body, authorization: String(request.headers.authorization) })
    if (failure) return answer(failure.status, { __type: failure.type, message: failure.message })
    const keyId = String(body["KeyId"])
    const key = keys.get(keyId) ?? randomBytes(32)
    keys.set(keyId, key)
    const aad = Buffer.from(JSON.stringify(Object.entries(Object(body["EncryptionContext"])).sort()))
    if (operation === "Encrypt") {
      const plaintext = Buffer.from(String(body["Plaintext"]), "base64")
      const sealed = seal(key, plaintext, aad)
      return answer(200, { CiphertextBlob: sealed.toString("base64"), KeyId: keyId })
    }
    const opened = open(key, Buffer.from(String(body["CiphertextBlob"]), "base64"), aad)
    if (!opened) return answer(400, { __type: "InvalidCiphertextException" })
    answer(200, { Plaintext: opened.toString("base64"), KeyId: keyId })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    failWith: (error) => {
      failure = error
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

async function jsonOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  return JSON.parse(Buffer.concat(pieces).toString())
}

function seal(key: Buffer, plaintext: Buffer, aad: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES }).setAAD(aad)
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function open(key: Buffer, blob: Buffer, aad: Buffer): Buffer | null {
  if (blob.length < NONCE_BYTES + TAG_BYTES) return null
  const decipher = createDecipheriv("aes-256-gcm", key, blob.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(aad).setAuthTag(blob.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(blob.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    return null
  }
}
