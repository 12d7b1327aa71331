import type { KMSClient } from "@aws-sdk/client-kms"
import { base64url, fromBase64url, hex } from "../bytes.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { IntegrityError, KeyMissingError } from "../errors.ts"
import type { Kek, Recipient } from "./kek.ts"
import type { KeySources } from "./kind.ts"
import { isAltered, kmsError } from "./kms-errors.ts"
import { KMS_ALG } from "./kms-kind.ts"

const DEK_BYTES = 32
const MAX_BLOB_BYTES = 6144 // AWS KMS API Reference, "Decrypt", CiphertextBlob

type Sdk = typeof import("@aws-sdk/client-kms")
interface Client {
  readonly sdk: Sdk
  readonly client: KMSClient
}

/**
 * A key that AWS KMS keeps (`AWS-KMS`): it wraps and unwraps there, and never leaves. Credentials are found as the
 * AWS SDK finds them; nothing is asked of KMS, and the SDK is not loaded, before the first wrap.
 *
 * @param key.region - where it is, which its ARN says.
 * @param name - what the user calls it.
 */
export function kmsKek(key: { arn: string; region: string }, name: string, sources: KeySources): Kek {
  return new KmsKek(key, name, sources)
}

class KmsKek implements Kek {
  readonly id: string
  readonly name: string
  readonly slow = true
  readonly #arn: string
  readonly #region: string
  readonly #sources: KeySources
  #connected: Promise<Client> | undefined
  #disposed = false

  constructor({ arn, region }: { arn: string; region: string }, name: string, sources: KeySources) {
    this.id = `kms:${arn}`
    this.name = name
    this.#arn = arn
    this.#region = region
    this.#sources = sources
  }

  matches({ alg, kek }: Recipient): boolean {
    return alg === KMS_ALG && kek === this.id
  }

  async publicText(): Promise<string> {
    return `${this.#arn}\n`
  }

  async wrap(dek: SecretBytes, context: Uint8Array): Promise<Recipient> {
    const { sdk, client } = await this.#connect()
    const answer = await this.#ask("wrap a DEK with", (abort) =>
      client.send(
        new sdk.EncryptCommand({
          KeyId: this.#arn,
          Plaintext: dek.bytes,
          EncryptionContext: encryptionContext(context),
        }),
        abort,
      ),
    )
    const { CiphertextBlob: blob, KeyId: keyId } = answer
    if (!blob || blob.length > MAX_BLOB_BYTES || keyId !== this.#arn) {
      throw new KeyMissingError(`KMS did not answer for the key ${this.#arn}: it wrapped with another`)
    }
    return { kek: this.id, alg: KMS_ALG, ct: base64url(blob) }
  }

  async unwrap(recipient: Recipient, context: Uint8Array): Promise<SecretBytes | null> {
    if (!this.matches(recipient)) return null
    const wrapped = fromBase64url(recipient.ct)
    if (!wrapped || wrapped.length > MAX_BLOB_BYTES) throw this.#altered()
    const { sdk, client } = await this.#connect()
    const answer = await this.#ask("unwrap a DEK with", (abort) =>
      client.send(
        new sdk.DecryptCommand({
          KeyId: this.#arn,
          CiphertextBlob: wrapped,
          EncryptionContext: encryptionContext(context),
        }),
        abort,
      ),
    )
    const { Plaintext: plaintext } = answer
    if (plaintext?.length !== DEK_BYTES) throw this.#altered()
    const dek = new SecretBytes(new Uint8Array(plaintext))
    plaintext.fill(0)
    return dek
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#connected?.then(
      ({ client }) => client.destroy(),
      () => undefined, // whoever waits for it hears of it
    )
  }

  #connect(): Promise<Client> {
    if (this.#disposed) throw new TypeError("a key used after it was disposed of")
    this.#connected ??= connect(this.#region, this.#sources)
    return this.#connected
  }

  async #ask<T>(action: string, send: (options: { abortSignal?: AbortSignal }) => Promise<T>): Promise<T> {
    const { signal } = this.#sources
    signal?.throwIfAborted()
    try {
      return await send(signal ? { abortSignal: signal } : {})
    } catch (error) {
      signal?.throwIfAborted()
      if (isAltered(error)) throw this.#altered(error)
      throw kmsError(error, action, this.#arn)
    }
  }

  #altered(cause?: unknown): IntegrityError {
    return new IntegrityError(
      `the DEK wrapped by KEK ${this.id} does not open: it was altered, or belongs to another object`,
      { cause },
    )
  }
}

async function connect(region: string, { kms }: KeySources): Promise<Client> {
  const sdk = await load()
  const { endpoint, profile } = kms ?? {}
  const client = new sdk.KMSClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(profile === undefined ? {} : { profile }),
  })
  return { sdk, client }
}

async function load(): Promise<Sdk> {
  try {
    return await import("@aws-sdk/client-kms")
  } catch (error) {
    throw new KeyMissingError("cannot use keys of AWS KMS: @aws-sdk/client-kms is not installed", {
      cause: error,
      hint: "install it beside s3ep: npm install --global @aws-sdk/client-kms",
    })
  }
}

function encryptionContext(context: Uint8Array): Record<string, string> {
  return { s3ep: hex(context) }
}
