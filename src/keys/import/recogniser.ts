import type { KekState } from "../kek.ts"
import type { WrittenPlace } from "../kind.ts"
import type { KeyMaterial } from "../material.ts"

/** A key that was brought along, and what was said about it. */
export interface ImportedKey {
  /** Owned by whoever receives it. */
  readonly material: KeyMaterial
  /** What it was called where it comes from. */
  readonly name?: string | undefined
  readonly created?: Date | undefined
  readonly state?: KekState | undefined
}

/**
 * Reads one form that keys are brought along in.
 *
 * @param content - borrowed.
 * @returns null if it is of another form; otherwise at least one key.
 * @throws {KeyMissingError} if it is of this form and cannot be used. Nothing of it is in the error.
 */
export type Recogniser = (content: Uint8Array, place: WrittenPlace) => Promise<ImportedKey[] | null>
