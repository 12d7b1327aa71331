/** A document has something in it that is for a real parser of XML, or it is none. */
export class NotPlainError extends Error {
  constructor() {
    super("not as plain as the documents of S3 are")
    this.name = new.target.name
  }
}

const DECLARATION = /^<\?xml [^<>?]{1,200}\?>/
const NAMESPACE = /^xmlns="[^"<>&\n]*"$/
// As those of S3 are. None is that of a member all objects inherit.
const NAME = /^[A-Z][A-Za-z0-9]{0,63}$/
const MAX_DEPTH = 8
const ENTITIES = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
])
const NUMBERED = /^#(?:(\d{1,5})|x([0-9A-Fa-f]{1,4}))$/
const [TAB, LF, SPACE, SLASH, LESS] = [9, 10, 32, 47, 60]

/**
 * Reads the XML that S3 writes, from front to end and in time proportional to its length: elements that hold either text or
 * elements, and of all else that XML may hold nothing. Whatever could be understood in two ways is a `NotPlainError`,
 * which every method throws.
 *
 * Whoever is told of an element has to read it before it returns, with `text`, `children` or `skip`.
 *
 * @see Extensible Markup Language (XML) 1.0
 */
export class PlainXml {
  readonly #document: string
  #at: number
  /** The element that was opened is `<Such/>`. */
  #selfClosed = false

  constructor(document: string) {
    // XML has readers take it for a line feed.
    if (document.includes("\r")) throw new NotPlainError()
    this.#document = document
    this.#at = DECLARATION.exec(document)?.[0].length ?? 0
  }

  /** Reads the document, whose one element has this name. It may say which namespace it is of. */
  root(name: string, visit: (name: string) => void): void {
    this.#space()
    const tag = this.#tag()
    const isPlain = tag === name || (tag.startsWith(`${name} `) && NAMESPACE.test(tag.slice(name.length + 1)))
    if (!isPlain) throw new NotPlainError()
    this.children(name, visit)
    this.#space()
    if (this.#at !== this.#document.length) throw new NotPlainError()
  }

  /** Reads the elements in the one that was opened. */
  children(name: string, visit: (name: string) => void): void {
    if (this.#wasSelfClosed()) return
    for (;;) {
      this.#layout()
      if (this.#document.charCodeAt(this.#at + 1) === SLASH) {
        this.#close(name)
        return
      }
      visit(this.#open())
    }
  }

  /** The text in the element that was opened. It does not keep the document in memory. */
  text(name: string): string {
    if (this.#wasSelfClosed()) return ""
    const end = this.#document.indexOf("<", this.#at)
    if (end < 0) throw new NotPlainError()
    const raw = this.#document.slice(this.#at, end)
    this.#at = end
    this.#close(name)
    const text = raw.includes("&") ? unescaped(raw) : apart(raw)
    // Some take it for layout.
    const isDoubtful = raw.includes(">") || (text.includes("\n") && text.trim() === "")
    if (isDoubtful) throw new NotPlainError()
    return text
  }

  /** Reads past the element that was opened. */
  skip(name: string, depth = 1): void {
    if (depth > MAX_DEPTH) throw new NotPlainError()
    const next = this.#document.indexOf("<", this.#at)
    if (this.#selfClosed || this.#document.charCodeAt(next + 1) === SLASH) this.text(name)
    else this.children(name, (inner) => this.skip(inner, depth + 1))
  }

  #open(): string {
    const tag = this.#tag()
    this.#selfClosed = tag.endsWith("/")
    const name = this.#selfClosed ? tag.slice(0, -1) : tag
    if (!NAME.test(name)) throw new NotPlainError()
    return name
  }

  #wasSelfClosed(): boolean {
    const was = this.#selfClosed
    this.#selfClosed = false
    return was
  }

  #close(name: string): void {
    const tag = `</${name}>`
    if (!this.#document.startsWith(tag, this.#at)) throw new NotPlainError()
    this.#at += tag.length
  }

  /** What is between the angle brackets of the tag that is next. */
  #tag(): string {
    const end = this.#document.indexOf(">", this.#at)
    if (this.#document.charCodeAt(this.#at) !== LESS || end < 0) throw new NotPlainError()
    const tag = this.#document.slice(this.#at + 1, end)
    this.#at = end + 1
    return tag
  }

  /** Between elements: nothing, or a new line. Other space some take for text. */
  #layout(): void {
    const start = this.#at
    if (this.#document.charCodeAt(start) === LESS) return
    this.#space()
    if (!this.#document.slice(start, this.#at).includes("\n")) throw new NotPlainError()
  }

  #space(): void {
    for (;;) {
      const code = this.#document.charCodeAt(this.#at)
      if (code !== SPACE && code !== LF && code !== TAB) return
      this.#at += 1
    }
  }
}

function unescaped(raw: string): string {
  let text = ""
  let done = 0
  for (let at = raw.indexOf("&"); at >= 0; at = raw.indexOf("&", done)) {
    const end = raw.indexOf(";", at)
    if (end < 0) throw new NotPlainError()
    const reference = raw.slice(at + 1, end)
    text += raw.slice(done, at) + (ENTITIES.get(reference) ?? numbered(reference))
    done = end + 1
  }
  return text + raw.slice(done)
}

function numbered(reference: string): string {
  const [, decimal, hex] = NUMBERED.exec(reference) ?? []
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  if (!isCharacter(code)) throw new NotPlainError()
  return String.fromCharCode(code)
}

/** Whether XML allows this character, and UTF-16 has one code for it. */
function isCharacter(code: number): boolean {
  return code === TAB || code === LF || (code >= SPACE && code < 0xd800) || (code >= 0xe000 && code <= 0xfffd)
}

/** A copy: the engine's slices hold on to all of what they are taken from. */
function apart(slice: string): string {
  return ` ${slice}`.slice(1)
}
