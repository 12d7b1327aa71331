import type { Format, Found, Reader } from "./format.ts"

/**
 * Find out what an object is: the first format that recognises it reads it, so that order settles what two would
 * claim.
 *
 * @returns null if none does: it is not encrypted, or in a way nobody here knows.
 * @throws {IntegrityError} if the first that claims it finds it damaged; others are not asked then, since whoever can
 * damage what one format says could choose which other one is believed.
 */
export function recognise(formats: readonly Format[], found: Found): Reader | null {
  for (const format of formats) {
    const reader = format.recognise(found)
    if (reader) return reader
  }
  return null
}
