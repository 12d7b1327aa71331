import type { Finding, Format, Found, Reader } from "./format.ts"

export const PLAINTEXT = "plaintext"

const NOT_ENCRYPTED: Finding = {
  code: "plaintext",
  message: "it is in no format that s3ep knows, and passed through as it is",
}

/** Bytes as they are: for those who say that an object nobody recognised is not encrypted. */
export class PlaintextFormat implements Format {
  readonly id = PLAINTEXT

  recognise({ bytes }: Found): Reader {
    return {
      format: PLAINTEXT,
      title: "not encrypted",
      plaintextBytes: bytes,
      ranges: true,
      proof: "never",
      verdict: "unauthenticated",
      findings: [NOT_ENCRYPTED],
      keks: [],
      mayBeFramed: false,
      isOwnMetadata: () => false,
      open: async () => ({
        kek: null,
        decrypt: (stored) => stored,
        at: { place: (plaintext) => plaintext, decrypt: (_start, stored) => stored },
        [Symbol.dispose]: () => undefined,
      }),
    }
  }
}
