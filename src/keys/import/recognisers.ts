import type { WrittenPlace } from "../kind.ts"
import { harpocratesExport } from "./harpocrates-export.ts"
import { keyFile } from "./key-file.ts"
import { paper } from "./paper.ts"
import type { ImportedKey, Recogniser } from "./recogniser.ts"
import { written } from "./written.ts"

/** Every form that keys can be brought along in. The first that knows it reads it; the last one has to. */
export const RECOGNISERS: readonly Recogniser[] = [keyFile, paper, harpocratesExport, written]

/**
 * The keys in what somebody brings along.
 *
 * @param content - borrowed.
 * @returns at least one; the caller owns them.
 * @throws {KeyMissingError} if there is none, or it cannot be used.
 */
export async function recogniseKeys(content: Uint8Array, place: WrittenPlace): Promise<ImportedKey[]> {
  for (const recognise of RECOGNISERS) {
    const found = await recognise(content, place)
    if (found) return found
  }
  throw new RangeError("the last recogniser reads anything or throws")
}
