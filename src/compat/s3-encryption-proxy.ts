import { utf8 } from "../bytes.ts"
import { CTR_IV_BYTES } from "../crypto/ctr.ts"
import type { RawKey } from "../crypto/raw-key.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { IntegrityError, KeyMissingError } from "../errors.ts"
import type { Finding, Format, Found, OpenBody, RandomAccess, Reader, Verdict } from "./format.ts"
import {
  decryptCtrBody,
  decryptCtrRange,
  decryptGcmBody,
  GCM_OVERHEAD_BYTES,
} from "./s3-encryption-proxy-body.ts"
import { AES_WRAPPED_BYTES, proxyFingerprint, unwrapProxyDek } from "./s3-encryption-proxy-keys.ts"
import { isProxyName, type ProxyMetadata, readProxyMetadata } from "./s3-encryption-proxy-metadata.ts"

export const S3_ENCRYPTION_PROXY = "s3-encryption-proxy"

const TITLE = "S3 Encryption Proxy"
/** At which the parts of an upload were encrypted before 3.0.0, whatever their size. */
const OLD_PART_BYTES = 5 * 1024 ** 2

/**
 * Objects of S3 Encryption Proxy 3, and those of 2 that can be read.
 *
 * @see man/s3ep-format.5, "Formats of others"
 */
export class S3EncryptionProxyFormat implements Format {
  readonly id = S3_ENCRYPTION_PROXY
  readonly #keys: () => AsyncIterable<RawKey>
  readonly #prefix: string | undefined

  /**
   * @param options.keys - all that may be tried; the one that fits is borrowed until the body is disposed of.
   * @param options.prefix - of the metadata, where it is known; any is found.
   */
  constructor(options: { keys: () => AsyncIterable<RawKey>; prefix?: string | undefined }) {
    this.#keys = options.keys
    this.#prefix = options.prefix
  }

  recognise(found: Found): Reader | null {
    const metadata = readProxyMetadata(found.metadata, this.#prefix)
    if (!metadata) return null
    const { cipher, old, hmac, prefix, fingerprint } = metadata
    if (old) refuseReusedKeystream(metadata, found)
    const overhead = overheadOf(metadata)
    const plaintextBytes = found.bytes === null ? null : found.bytes - overhead
    if (plaintextBytes !== null && plaintextBytes < 0) {
      throw new IntegrityError("it is too short to be whole: its nonce or its tag is missing")
    }
    const proven = cipher === "aes-gcm" || hmac !== null
    const verdict: Verdict = proven ? "weak" : "unauthenticated"
    return {
      format: S3_ENCRYPTION_PROXY,
      title: `${TITLE}${old ? " 2" : ""}, ${cipher}${hmac ? " with HMAC" : ""}`,
      plaintextBytes,
      ranges: cipher === "aes-ctr" && metadata.iv !== null,
      proof: proven ? "end" : "never",
      verdict,
      findings: findingsOf(metadata),
      keks: [{ kek: fingerprint, alg: wrapOf(metadata) }],
      mayBeFramed: true,
      isOwnMetadata: (name) => isProxyName(name, prefix),
      open: () => this.#open(metadata, found.objectKey),
    }
  }

  async #open(metadata: ProxyMetadata, objectKey: string | null): Promise<OpenBody> {
    const { fingerprint, wrappedDek } = metadata
    for await (const key of this.#keys()) {
      if (proxyFingerprint(key) !== fingerprint) continue
      const kek = { id: fingerprint, name: key.name }
      return openBody(metadata, objectKey, unwrapProxyDek(key, wrappedDek), kek)
    }
    throw new KeyMissingError(`no key at hand has the fingerprint ${fingerprint}`, {
      hint: "name the configuration of the proxy that wrote it: --proxy-config FILE",
    })
  }
}

function openBody(
  { cipher, iv, hmac }: ProxyMetadata,
  objectKey: string | null,
  dek: SecretBytes,
  kek: { readonly id: string; readonly name: string },
): OpenBody {
  const dispose = () => dek[Symbol.dispose]()
  if (cipher === "aes-gcm") {
    const aad = utf8(objectKey ?? "")
    return {
      kek,
      decrypt: (...stored) => decryptGcmBody(dek, aad, hmac, ...stored),
      [Symbol.dispose]: dispose,
    }
  }
  const at: RandomAccess | undefined = iv
    ? { place: (plaintext) => plaintext, decrypt: (start, stored) => decryptCtrRange(dek, iv, start, stored) }
    : undefined
  return {
    kek,
    decrypt: (...stored) => decryptCtrBody(dek, iv, hmac, ...stored),
    at,
    [Symbol.dispose]: dispose,
  }
}

function overheadOf({ cipher, iv }: ProxyMetadata): number {
  if (cipher === "aes-gcm") return GCM_OVERHEAD_BYTES
  return iv ? 0 : CTR_IV_BYTES
}

function wrapOf({ wrappedDek }: ProxyMetadata): string {
  return wrappedDek.length === AES_WRAPPED_BYTES ? "AES-256-CTR" : "RSA-OAEP-256"
}

// Each part began where parts of 5 MiB would have: with larger ones the keystream was used twice, and what the store
// returns cannot be taken apart any more.
function refuseReusedKeystream({ cipher }: ProxyMetadata, { parts, bytes }: Found): void {
  if (cipher !== "aes-ctr" || parts === null || parts < 2 || bytes === null) return
  if (Math.ceil(bytes / OLD_PART_BYTES) === parts) return
  throw new IntegrityError(
    `it was uploaded in ${parts} parts of other than 5 MiB, which releases of ${TITLE} before 3.0.0 encrypted so that ` +
      "nothing can read them back",
    { hint: "where parts were larger, keystream was used twice: treat what they held as disclosed" },
  )
}

function findingsOf(metadata: ProxyMetadata): Finding[] {
  const { cipher, hmac, prefix, old } = metadata
  const forger =
    wrapOf(metadata) === "RSA-OAEP-256" ? "who has the public key" : "who learns one DEK and its wrapped form"
  const findings: Finding[] = [
    {
      code: "unauthenticated-dek",
      message: `its DEK is wrapped without authentication: ${forger} can make objects that open as genuine`,
    },
  ]
  if (cipher === "aes-ctr") {
    if (!hmac) {
      findings.push({
        code: "no-hmac",
        message:
          "nothing authenticates it: who can write to the bucket can change any bit of what is decrypted",
      })
    }
    findings.push({
      code: "unbound-key",
      message: "it is not bound to its key: it opens under any other it is copied to",
    })
  }
  if (prefix === "") findings.push({ code: "no-prefix", message: "its metadata have no prefix" })
  if (old)
    findings.push({
      code: "old-release",
      message: "a release before 3.0.0 wrote it, which 3.0.0 does not read",
    })
  return findings
}
