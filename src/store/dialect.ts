import { readFile } from "node:fs/promises"
import { replaceFile } from "../files/replace-file.ts"
import { type Feature, features, type ServiceName, serviceNames } from "./services.ts"

/** What an endpoint was found to be and to do. */
export interface Dialect {
  readonly service?: ServiceName
  readonly features: Partial<Record<Feature, boolean>>
}

// Services are upgraded: what was found out is asked again after a month.
const KEPT_MS = 30 * 86_400_000

interface RememberedDialect extends Dialect {
  /** When it was last added to, in ms since 1970. */
  readonly at: number
}

/**
 * Answers of endpoints, kept in a JSON file (0600) so that each is asked once. The file is a convenience: missing,
 * damaged or not writable, it is done without.
 */
export class DialectFile {
  readonly #path: string | undefined
  readonly #now: () => number

  constructor(path: string | undefined, now: () => number) {
    this.#path = path
    this.#now = now
  }

  async load(endpoint: string): Promise<Dialect> {
    const remembered = (await this.#read()).get(endpoint)
    return remembered && this.#now() - remembered.at < KEPT_MS ? remembered : { features: {} }
  }

  /** Adds to what is remembered of an endpoint; what other processes wrote meanwhile is kept. */
  async save(endpoint: string, dialect: Dialect): Promise<void> {
    if (this.#path === undefined) return
    const all = await this.#read()
    all.set(endpoint, { ...dialect, at: this.#now() })
    const text = JSON.stringify({ version: 1, endpoints: Object.fromEntries(all) }, null, 2)
    await replaceFile(this.#path, `${text}\n`).catch(() => undefined)
  }

  async #read(): Promise<Map<string, RememberedDialect>> {
    if (this.#path === undefined) return new Map()
    const text = await readFile(this.#path, "utf8").catch(() => "")
    return parse(text)
  }
}

function parse(text: string): Map<string, RememberedDialect> {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    return new Map()
  }
  const endpoints = member(content, "endpoints")
  if (member(content, "version") !== 1 || typeof endpoints !== "object" || endpoints === null)
    return new Map()
  return new Map(
    Object.entries(endpoints).flatMap(([endpoint, value]) => {
      const at = member(value, "at")
      return typeof at === "number" ? [[endpoint, { ...dialectOf(value), at }] as const] : []
    }),
  )
}

function dialectOf(value: unknown): Dialect {
  const service = serviceNames.find((name) => name === member(value, "service"))
  const known = features.flatMap((feature) => {
    const answer = member(member(value, "features"), feature)
    return typeof answer === "boolean" ? [[feature, answer] as const] : []
  })
  return { ...(service && { service }), features: Object.fromEntries(known) }
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined
}
