import { createHash } from "node:crypto"
import { chmod, cp, readdir } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Recipient } from "../../../src/keys/kek.ts"
import type { Home } from "../run-cli.ts"

// What a version of s3ep writes and every later one has to read, in one directory for each version.

export const goldenDirectory = fileURLToPath(new URL("../../vectors/golden/", import.meta.url))
export const PASSPHRASE = "a golden passphrase\n"
export const CHUNK_BYTES = 4096
export const PART_BYTES = 4 * CHUNK_BYTES
/** Stored bytes of a window of two segments. */
export const WINDOW_BYTES = 2 * (80 + 4 * (CHUNK_BYTES + 16))
/** The key of the object whose upload, and whose download, was interrupted. */
export const UNFINISHED_KEY = "unfinished.bin"
export const UNFINISHED_BYTES = 10 * PART_BYTES + 123

/** An object or a container as it was stored, and what has to come out of it. */
export interface GoldenFile {
  readonly why: string
  /** Its key; its file is in `objects` or `containers`. */
  readonly key: string
  readonly file: string
  /** User metadata; of objects only. */
  readonly metadata?: Readonly<Record<string, string>>
  readonly plaintextBytes: number
  readonly plaintextSha256: string
  /** Arguments that it is read with. */
  readonly with: readonly string[]
}

export interface Golden {
  readonly version: string
  readonly objects: readonly GoldenFile[]
  readonly containers: readonly GoldenFile[]
  readonly keys: readonly { readonly name: string; readonly id: string; readonly kind: string }[]
  readonly envelopes: readonly { readonly key: string; readonly recipients: readonly Recipient[] }[]
  readonly upload: {
    readonly uploadId: string
    readonly parts: readonly { readonly part: number; readonly file: string }[]
  }
  readonly download: { readonly temporary: string; readonly windows: number }
}

/** The same bytes for the same length, everywhere and always. */
export function goldenPlaintext(bytes: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, at) =>
    createHash("sha256").update(`s3ep golden ${bytes} ${at}`).digest(),
  )
  return Buffer.concat(blocks).subarray(0, bytes)
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex")
}

/** Puts the keys of a golden directory into a home, readable by its user alone as they were. */
export async function takeKeys(directory: string, home: Home): Promise<void> {
  const keys = home.path("config/s3ep/keys")
  await cp(join(directory, "keys"), keys, { recursive: true })
  await chmod(keys, 0o700)
  for (const name of await readdir(keys)) await chmod(join(keys, name), 0o600)
}
