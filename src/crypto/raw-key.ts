import type { KeyObject } from "node:crypto"
import type { SecretBytes } from "./secret.ts"

/**
 * A key as other systems use it: not bound to a way of wrapping of ours. Owned by whoever holds the key it comes
 * from; borrowed by whoever is handed it.
 */
export type RawKey =
  /** 32 bytes. */
  | { readonly type: "aes"; readonly name: string; readonly key: SecretBytes }
  /** Without a private key it only writes. */
  | {
      readonly type: "rsa"
      readonly name: string
      readonly publicKey: KeyObject
      readonly privateKey: KeyObject | null
    }
