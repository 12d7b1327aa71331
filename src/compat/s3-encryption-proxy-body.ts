import { ByteQueue } from "../agcm/queue.ts"
import { concat } from "../bytes.ts"
import { aeadSeal, GcmStreamOpener, NONCE_BYTES, TAG_BYTES } from "../crypto/aead.ts"
import { CTR_IV_BYTES, CtrStream } from "../crypto/ctr.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { StreamMac } from "../crypto/stream-mac.ts"
import { IntegrityError } from "../errors.ts"
import { proxyHmacKey } from "./s3-encryption-proxy-keys.ts"

/** What an aes-gcm body has besides its ciphertext. */
export const GCM_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES

/**
 * Decrypt an aes-gcm body: nonce ‖ ciphertext ‖ tag, the object key being its AAD. Bounded memory, so what it yields
 * is genuine only if the iteration ends.
 *
 * @throws {IntegrityError} at the end, if the tag, or the HMAC where there is one, does not match.
 */
export async function* decryptGcmBody(
  dek: SecretBytes,
  aad: Uint8Array,
  hmac: Uint8Array | null,
  stored: AsyncIterable<Uint8Array>,
  ownMemory = false,
): AsyncGenerator<Uint8Array, void, undefined> {
  const mac = macOf(dek, hmac)
  const queue = new ByteQueue(ownMemory)
  let opener: GcmStreamOpener | undefined
  for await (const piece of stored) {
    queue.push(piece)
    if (!opener && queue.bytes >= NONCE_BYTES)
      opener = new GcmStreamOpener(dek.bytes, queue.take(NONCE_BYTES), aad)
    if (!opener || queue.bytes <= TAG_BYTES) continue
    const plaintext = opener.update(queue.take(queue.bytes - TAG_BYTES))
    mac?.update(plaintext)
    yield plaintext
  }
  if (!opener?.finish(queue.take(queue.bytes))) {
    throw new IntegrityError("it fails authentication: it was altered, or belongs to another key")
  }
  checkMac(mac, hmac)
}

/**
 * Decrypt an aes-ctr body.
 *
 * @param iv - 16 bytes; null if the body begins with it, as releases before 2.0.0 had it.
 * @param hmac - 32 bytes, or null if there is none: nothing is genuine then.
 * @throws {IntegrityError} at the end, if the HMAC does not match.
 */
export async function* decryptCtrBody(
  dek: SecretBytes,
  iv: Uint8Array | null,
  hmac: Uint8Array | null,
  stored: AsyncIterable<Uint8Array>,
  ownMemory = false,
): AsyncGenerator<Uint8Array, void, undefined> {
  const mac = macOf(dek, hmac)
  const queue = new ByteQueue(ownMemory)
  let stream = iv && new CtrStream(dek.bytes, iv)
  for await (const piece of stored) {
    queue.push(piece)
    if (!stream && queue.bytes >= CTR_IV_BYTES) stream = new CtrStream(dek.bytes, queue.take(CTR_IV_BYTES))
    if (!stream || queue.bytes === 0) continue
    const plaintext = stream.update(queue.take(queue.bytes))
    mac?.update(plaintext)
    yield plaintext
  }
  if (!stream) throw new IntegrityError("it is too short to be whole")
  checkMac(mac, hmac)
}

/** Decrypt from the middle of an aes-ctr body. */
export async function* decryptCtrRange(
  dek: SecretBytes,
  iv: Uint8Array,
  start: number,
  stored: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = new CtrStream(dek.bytes, iv, start)
  for await (const piece of stored) yield stream.update(piece)
}

/** An aes-gcm body. @param nonce - 12 bytes, never used twice with this DEK. */
export function encryptGcmBody(
  dek: SecretBytes,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return concat(nonce, aeadSeal(dek.bytes, nonce, plaintext, aad))
}

/** The HMAC over an object's plaintext, which is what the proxy's strict mode checks. */
export function proxyMac(dek: SecretBytes): StreamMac {
  using key = proxyHmacKey(dek)
  return new StreamMac(key.bytes)
}

function macOf(dek: SecretBytes, hmac: Uint8Array | null): StreamMac | null {
  return hmac && proxyMac(dek)
}

function checkMac(mac: StreamMac | null, hmac: Uint8Array | null): void {
  if (mac && hmac && !mac.matches(hmac)) {
    throw new IntegrityError("its HMAC does not match: it was altered, or its DEK or IV was")
  }
}
