import { S3Error } from "./errors.ts"

/** One element of a parsed document; attributes and namespaces are dropped. */
export interface XmlElement {
  name: string
  text: string
  children: XmlElement[]
}

/** What `renderXml` renders: nested records; an array repeats its element; `undefined` is left out. */
export type XmlValue = string | number | boolean | undefined | XmlRecord | readonly XmlValue[]
export interface XmlRecord {
  readonly [name: string]: XmlValue
}

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

function escapeXml(text: string): string {
  let escaped = ""
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    // Control characters are not XML 1.0, but S3 sends them as references and its clients read them.
    escaped += code < 0x20 || "&<>\"'".includes(character) ? `&#x${code.toString(16)};` : character
  }
  return escaped
}

function renderElement(name: string, value: XmlValue, attributes = ""): string {
  if (value === undefined) return ""
  if (Array.isArray(value)) return value.map((item: XmlValue) => renderElement(name, item)).join("")
  if (typeof value !== "object") return `<${name}${attributes}>${escapeXml(String(value))}</${name}>`
  const inner = Object.entries(value).map(([child, of]) => renderElement(child, of))
  return `<${name}${attributes}>${inner.join("")}</${name}>`
}

/** A whole S3 answer without its declaration, in S3's namespace. */
export function renderXml(root: string, value: XmlRecord | string): string {
  return renderElement(root, value, ` xmlns="${NAMESPACE}"`)
}

/** An error answer has no namespace. */
export function renderErrorXml(value: XmlRecord): string {
  return renderElement("Error", value)
}

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  return text.replace(/&(#x[0-9a-f]+|#[0-9]+|[a-z]+);/gi, (whole: string, entity: string) => {
    if (entity.startsWith("#x")) return String.fromCodePoint(Number.parseInt(entity.slice(2), 16))
    if (entity.startsWith("#")) return String.fromCodePoint(Number.parseInt(entity.slice(1), 10))
    return named[entity] ?? whole
  })
}

/**
 * Parse a request document.
 *
 * @throws {S3Error} MalformedXML if tags do not nest, or there is no root element.
 */
export function parseXml(document: string): XmlElement {
  const root: XmlElement = { name: "", text: "", children: [] }
  const open: XmlElement[] = [root]
  const tokens =
    /<\?[^>]*\?>|<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([^\s/>]+)[^>]*?(\/?)>|([^<]+)/g
  for (const [, cdata, closing, tag, empty, text] of document.matchAll(tokens)) {
    const current = open.at(-1)
    if (current === undefined) break
    if (cdata !== undefined) current.text += cdata
    if (text !== undefined) current.text += unescapeXml(text)
    if (tag === undefined) continue
    const name = tag.slice(tag.indexOf(":") + 1)
    if (closing === "/") {
      if (current.name !== name) throw malformedXml()
      open.pop()
      continue
    }
    const element = { name, text: "", children: [] }
    current.children.push(element)
    if (empty !== "/") open.push(element)
  }
  const [first] = root.children
  if (open.length !== 1 || first === undefined) throw malformedXml()
  return first
}

/** The text of a descendant, by its path of names; `undefined` if it is not there. */
export function textAt(element: XmlElement | undefined, ...path: string[]): string | undefined {
  let current = element
  for (const name of path) current = current?.children.find((child) => child.name === name)
  return current?.text
}

export function childrenNamed(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((child) => child.name === name) ?? []
}

export function malformedXml(): S3Error {
  return new S3Error("MalformedXML", "The XML you provided was not well-formed or did not validate.")
}
