import { equalSecret, u32be, u64be, utf8 } from "../bytes.ts"
import { hkdfSha512, hmacSha256 } from "../crypto/kdf.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { RefusedError } from "./refused.ts"

const SEAL_INFO = utf8("s3ep AGCM v2 seal")
const SEAL_KEY_BYTES = 32

/**
 * The seal: which attempts at which segments make up the object, in which order, and how long it is.
 *
 * @param plaintextBytes - of the whole object.
 * @param salts - 24 bytes each, in the order of the segments.
 * @returns 32 bytes, the last of the object.
 * @see man/s3ep-format.5, "Seal"
 */
export function computeSeal(
  dek: SecretBytes,
  plaintextBytes: number,
  salts: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  using key = hkdfSha512(dek.bytes, new Uint8Array(0), SEAL_INFO, SEAL_KEY_BYTES)
  return hmacSha256(key.bytes, [u64be(plaintextBytes), u32be(salts.length), ...salts])
}

/** @throws {RefusedError} "seal" if it is not the seal of exactly these segments and this length. */
export function verifySeal(
  dek: SecretBytes,
  plaintextBytes: number,
  salts: readonly Uint8Array[],
  seal: Uint8Array,
): void {
  if (!equalSecret(computeSeal(dek, plaintextBytes, salts), seal)) throw new RefusedError("seal")
}
