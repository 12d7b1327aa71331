import { KEY_BYTES, NONCE_BYTES } from "../crypto/aead.ts"
import type { RandomSource, SecretBytes } from "../crypto/secret.ts"
import { DeniedError, IntegrityError, KeyMissingError, UnavailableError } from "../errors.ts"
import type { Kek, Recipient } from "../keys/kek.ts"
import { hintToOpen } from "../keys/kinds.ts"
import { type Binding, bindingContext } from "./binding.ts"
import { type PrivateMetadata, sealPrivateMetadata } from "./private-metadata.ts"

export { openPrivateMetadata, type PrivateMetadata } from "./private-metadata.ts"

/** The wrapped DEKs of one object and what belongs to them: what rotation rewrites. */
export interface Envelope {
  readonly v: 2
  /** Format of the body. */
  readonly fmt: "agcm2"
  readonly bind: Binding
  /** At least one; two of them may name one KEK. */
  readonly recipients: readonly Recipient[]
  /** The sealed private metadata, base64url. */
  readonly meta?: string
}

/**
 * Wrap a DEK to everyone who may read the object.
 *
 * @param dek - 32 bytes, fresh; borrowed.
 * @param objectKey - where the object will live; not looked at for `bind: "none"`.
 * @param writers - one KEK given twice becomes one recipient.
 * @throws {KeyMissingError} if there are no writers.
 */
export async function createEnvelope(request: {
  dek: SecretBytes
  bind: Binding
  objectKey: string
  writers: readonly Kek[]
  privateMetadata?: PrivateMetadata | undefined
  random: RandomSource
}): Promise<Envelope> {
  const { dek, bind, random, privateMetadata } = request
  if (dek.length !== KEY_BYTES) throw new RangeError(`DEK of ${dek.length} bytes`)
  if (request.writers.length === 0) {
    throw new KeyMissingError("no key to encrypt to", { hint: "make one with `s3ep keys generate`" })
  }
  const context = bindingContext(bind, request.objectKey)
  const writers = new Map(request.writers.map((kek) => [kek.id, kek]))
  const recipients: Recipient[] = []
  for (const kek of writers.values()) recipients.push(await kek.wrap(dek, context, random))
  const envelope: Envelope = { v: 2, fmt: "agcm2", bind, recipients }
  if (!privateMetadata) return envelope
  return { ...envelope, meta: sealPrivateMetadata(privateMetadata, dek, random(NONCE_BYTES)) }
}

// Each may cost gigabytes and seconds, and whoever wrote the envelope chose how many there are.
const MAX_SLOW_ATTEMPTS = 16
// These are about one KEK: another may open it all the same.
const FAILURES_OF_ONE = [KeyMissingError, IntegrityError, DeniedError, UnavailableError]

/**
 * Unwrap the DEK with the first KEK that can, cheap ones first. A damaged recipient does not keep another one
 * from opening: whoever can damage one could as well have removed it. A slow KEK is tried on 16 recipients at most.
 *
 * @param objectKey - where the object was found.
 * @returns the DEK, owned by the caller, and the KEK that opened it, owned by `readers` still.
 * @throws {KeyMissingError} if no KEK fits; names those that would.
 * @throws {IntegrityError} if a KEK fits and what it wrapped was altered or belongs to another object.
 * @throws {UnavailableError} {DeniedError} if the service that keeps a KEK that fits does not answer, or refuses.
 */
export async function openEnvelope(
  envelope: Envelope,
  { objectKey, readers }: { objectKey: string; readers: readonly Kek[] },
): Promise<{ dek: SecretBytes; kek: Kek }> {
  return unwrapAny(envelope.recipients, bindingContext(envelope.bind, objectKey), readers)
}

/** As `openEnvelope`, of a key wrapped to some recipients under any context (32 bytes). */
export async function unwrapAny(
  recipients: readonly Recipient[],
  context: Uint8Array,
  readers: readonly Kek[],
): Promise<{ dek: SecretBytes; kek: Kek }> {
  const failures: unknown[] = []
  for (const kek of readers.toSorted((a, b) => Number(a.slow ?? false) - Number(b.slow ?? false))) {
    const matching = recipients.filter((recipient) => kek.matches(recipient))
    for (const recipient of kek.slow ? matching.slice(0, MAX_SLOW_ATTEMPTS) : matching) {
      try {
        const dek = await kek.unwrap(recipient, context)
        if (dek) return { dek: checked(dek), kek }
      } catch (error) {
        if (!FAILURES_OF_ONE.some((kind) => error instanceof kind)) throw error
        failures.push(error)
      }
    }
  }
  const damage = failures.find((failure) => failure instanceof IntegrityError)
  // A service that did not answer may well open it the next time.
  const transient = failures.find((failure) => failure instanceof UnavailableError)
  throw (
    damage ??
    transient ??
    failures[0] ??
    new KeyMissingError("no key at hand unwraps its DEK", { hint: hintToOpen(recipients) })
  )
}

function checked(dek: SecretBytes): SecretBytes {
  if (dek.length === KEY_BYTES) return dek
  dek[Symbol.dispose]()
  throw new IntegrityError(`its wrapped DEK has ${dek.length} bytes instead of ${KEY_BYTES}`)
}
