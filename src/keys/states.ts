import type { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import type { Kek, KekState, Recipient } from "./kek.ts"

/**
 * A KEK that is held to its state, wherever it comes from: a retired one does not write, a revoked one opens nothing.
 *
 * @param options.allowRevoked - lets a revoked one open what it wrapped; it never writes.
 */
export function heldToState(kek: Kek, state: KekState, options: { allowRevoked: boolean }): Kek {
  if (state === "active") return kek
  const refused = state === "revoked" && !options.allowRevoked
  return {
    id: kek.id,
    name: kek.name,
    writesOnly: kek.writesOnly ?? false,
    state,
    slow: refused || kek.slow === true,
    matches: (recipient) => kek.matches(recipient),
    wrap: () => Promise.reject(refusedToWrite(kek, state)),
    unwrap: async (recipient: Recipient, context: Uint8Array): Promise<SecretBytes | null> => {
      if (!refused || !kek.matches(recipient)) return kek.unwrap(recipient, context)
      throw new KeyMissingError(`the key ${kek.name} (${kek.id}) is revoked`, {
        hint: `--allow-revoked opens what it wrapped; \`s3ep keys activate ${kek.name}\` takes the revocation back`,
      })
    },
    raw: async () => (refused ? null : ((await kek.raw?.()) ?? null)),
    publicText: async () => (await kek.publicText?.()) ?? null,
    [Symbol.dispose]: () => kek[Symbol.dispose](),
  }
}

/** Why a KEK that is not active is not written to. */
export function refusedToWrite({ id, name }: Kek, state: KekState): KeyMissingError {
  return new KeyMissingError(`the key ${name} (${id}) is ${state}: nothing new is written to it`, {
    hint: `name another with --kek, or take that back with \`s3ep keys activate ${name}\``,
  })
}
