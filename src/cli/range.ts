import { UsageError } from "../errors.ts"
import type { ByteRange } from "../store/store.ts"

/** Bytes of the plaintext: from `start` on, up to `end` (exclusive) or the end, or the last `count`. */
export type WantedRange = ByteRange | { readonly last: number }

/**
 * `FIRST-LAST`, both included as in HTTP, `FIRST-`, or `-COUNT` for the last ones; `bytes=` before it is fine.
 *
 * @throws {UsageError} if it is none of these.
 */
export function parseRange(given: string): WantedRange {
  const [, first = "", last = ""] = /^(?:bytes=)?(\d{0,16})-(\d{0,16})$/.exec(given) ?? []
  const numbers = [first, last].map(Number)
  const [start = 0, end = 0] = numbers
  const usable = (first !== "" || last !== "") && numbers.every(Number.isSafeInteger)
  if (!usable || (first !== "" && last !== "" && end < start) || (first === "" && end === 0)) {
    throw new UsageError(`option --range: ${JSON.stringify(given)} is not usable`, {
      hint: "give FIRST-LAST (both included, from 0), FIRST- or -COUNT, such as 0-1048575",
    })
  }
  if (first === "") return { last: end }
  return last === "" ? { start } : { start, end: end + 1 }
}
