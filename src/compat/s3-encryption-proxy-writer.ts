import { utf8 } from "../bytes.ts"
import { KEY_BYTES, NONCE_BYTES } from "../crypto/aead.ts"
import { CTR_IV_BYTES, CtrStream } from "../crypto/ctr.ts"
import type { RawKey } from "../crypto/raw-key.ts"
import { type RandomSource, SecretBytes } from "../crypto/secret.ts"
import type { StreamMac } from "../crypto/stream-mac.ts"
import { UsageError } from "../errors.ts"
import { encryptGcmBody, proxyMac } from "./s3-encryption-proxy-body.ts"
import { proxyFingerprint, wrapProxyDek } from "./s3-encryption-proxy-keys.ts"
import { writeProxyMetadata } from "./s3-encryption-proxy-metadata.ts"

/** From this size on the proxy writes aes-ctr; below, aes-gcm. */
export const PROXY_CTR_FROM_BYTES = 5 * 1024 ** 2

/** What the proxy writes with. */
export interface ProxyKey {
  /** Borrowed. */
  readonly key: RawKey
  /** Of the names of metadata: not empty, in lower case. */
  readonly prefix: string
}

/** One object for the proxy to read, under a DEK of its own. Disposing of it wipes the DEK. */
export class ProxyObject implements Disposable {
  readonly fingerprint: string
  readonly #dek: SecretBytes
  /** Of aes-ctr. */
  readonly #iv: Uint8Array
  readonly #random: RandomSource
  readonly #writer: ProxyKey
  readonly #wrappedDek: Uint8Array

  constructor(writer: ProxyKey, random: RandomSource) {
    this.fingerprint = proxyFingerprint(writer.key)
    this.#writer = writer
    this.#random = random
    this.#dek = new SecretBytes(random(KEY_BYTES))
    this.#iv = random(CTR_IV_BYTES)
    this.#wrappedDek = wrapProxyDek(writer.key, this.#dek, random)
  }

  /** Encrypt a small object, bound to its key. */
  sealWhole(
    plaintext: Uint8Array,
    objectKey: string,
  ): { body: Uint8Array; metadata: Record<string, string> } {
    const nonce = this.#random(NONCE_BYTES)
    const body = encryptGcmBody(this.#dek, nonce, utf8(objectKey), plaintext)
    return { body, metadata: this.#metadata("aes-gcm", nonce, null) }
  }

  /** The HMAC of an object, to be fed with its plaintext. */
  mac(): StreamMac {
    return proxyMac(this.#dek)
  }

  /**
   * Encrypt a large object. To be used for one plaintext only: another one under the same keystream discloses both.
   *
   * @returns as many bytes, in memory of their own.
   */
  async *encrypt(plaintext: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const stream = new CtrStream(this.#dek.bytes, this.#iv)
    for await (const piece of plaintext) yield stream.update(piece)
  }

  /** What has to stand beside what `encrypt` made. @param hmac - 32 bytes. */
  metadata(hmac: Uint8Array): Record<string, string> {
    return this.#metadata("aes-ctr", this.#iv, hmac)
  }

  [Symbol.dispose](): void {
    this.#dek[Symbol.dispose]()
  }

  #metadata(cipher: "aes-gcm" | "aes-ctr", iv: Uint8Array, hmac: Uint8Array | null): Record<string, string> {
    const { key, prefix } = this.#writer
    const wrappedDek = this.#wrappedDek
    const { fingerprint } = this
    return writeProxyMetadata({ prefix, cipher, wrappedDek, fingerprint, kekAlgorithm: key.type, iv, hmac })
  }
}

/** @throws {UsageError} if the proxy could not serve an object under that key, naming the reason. */
export function checkProxyKey(objectKey: string): void {
  const why = objectKey.includes(" ")
    ? "a space in a key makes its signature check fail"
    : /^\/|\/\/|\/\.{1,2}(?:\/|$)|^\.{1,2}\//.test(objectKey)
      ? 'its router redirects keys with a leading or doubled "/", "/./" or "/../"'
      : null
  if (why !== null)
    throw new UsageError(`S3 Encryption Proxy cannot serve the key ${JSON.stringify(objectKey)}: ${why}`)
}
