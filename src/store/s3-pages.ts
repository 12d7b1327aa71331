import { UnavailableError } from "../errors.ts"

const MAX_BARREN_PAGES = 100

/** Sees to it that a listing gets on from page to page, and so ends. */
export class Pages {
  readonly #action: string
  #barren = 0
  #last: Buffer | undefined

  constructor(action: string) {
    this.#action = action
  }

  /**
   * @param signs - members of a listing of that kind, of which any answer has some: other XML has none.
   * @param asked - the token the page was asked for with.
   * @param next - the one it ends with, if there are more.
   */
  turn(signs: readonly unknown[], asked: string | undefined, next: string | false | undefined): void {
    if (signs.every((sign) => sign === undefined)) throw garbled(this.#action, "the answer is no listing")
    if (asked && asked === next) throw garbled(this.#action, "it goes on where it was")
    this.#barren += 1
    if (this.#barren > MAX_BARREN_PAGES) throw garbled(this.#action, "page after page of it brings nothing")
  }

  /** The page brought something that the ones before it had not. */
  progress(): void {
    this.#barren = 0
  }

  /**
   * Look at the next key of a listing in order. Whoever deletes or restores what is listed must not be led elsewhere,
   * or in a circle.
   *
   * @returns whether it is another one than the last.
   */
  key(key: string, prefix = ""): boolean {
    const bytes = Buffer.from(key)
    const order = this.#last === undefined ? 1 : Buffer.compare(bytes, this.#last)
    if (key === "" || !key.startsWith(prefix) || order < 0) {
      throw garbled(this.#action, `it lists ${JSON.stringify(key)}, which does not belong there`)
    }
    this.#last = bytes
    if (order > 0) this.progress()
    return order > 0
  }
}

export function garbled(action: string, why: string): UnavailableError {
  return new UnavailableError(`cannot ${action}: ${why}`, { transient: "garbled" })
}

/** Services that do not know `encoding-type` do not repeat it, and their keys are taken as they are. */
export function keyDecoder(
  encoding: string | undefined,
  action: string,
): (key: string | undefined) => string {
  if (encoding !== "url") return (key = "") => key
  return (key = "") => {
    try {
      return decodeURIComponent(key.replaceAll("+", " "))
    } catch {
      throw garbled(action, `it lists a key that cannot be decoded, ${JSON.stringify(key.slice(0, 100))}`)
    }
  }
}

/** A length as a listing says it; some leave it out. */
export function lengthOf(bytes: number | undefined, action: string): number {
  if (bytes === undefined) return 0
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes
  throw garbled(action, "it lists a length that is none")
}
