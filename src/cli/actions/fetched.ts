import type { ObjectFormat } from "../../transfer/inspect.ts"
import type { ExpectationOptions } from "../expectation.ts"
import type { Session } from "../session.ts"
import { formatBytes } from "../text.ts"

/** The options of `get` that are no settings, as commander has them. */
export interface GetOptions extends ExpectationOptions {
  readonly range?: string
  /** `--no-clobber` makes it false. */
  readonly clobber: boolean
  readonly skipExisting?: boolean
  /** `--no-preserve` makes it false. */
  readonly preserve: boolean
  readonly versionId?: string
  readonly dryRun?: boolean
  readonly recursive?: boolean
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  readonly plaintext?: boolean
  readonly allowUnauthenticated?: boolean
}

/** What became of an object that was got. */
export interface Fetched {
  readonly target: string
  readonly bytes: number
  /** Of those, what an earlier run had brought. */
  readonly resumedBytes?: number
  readonly etag?: string
  readonly versionId?: string | undefined
  readonly format?: ObjectFormat | undefined
}

export function fetched({ output }: Session, { uri, ...result }: Fetched & { readonly uri: string }): void {
  const { target, bytes, resumedBytes = 0, etag = null, versionId = null } = result
  const format = result.format?.id ?? null
  const line = { type: "fetched", uri, target, bytes, resumedBytes, etag, versionId, format }
  output.report(line, ({ uri, target, bytes, resumedBytes }) => {
    const resumed = resumedBytes === 0 ? "" : `, of which ${formatBytes(resumedBytes)} were there already`
    return `fetched ${uri} to ${target} (${formatBytes(bytes)}${resumed}${foreignTitle(result.format)})`
  })
  output.count("fetched", 1)
  output.count("bytes", bytes)
}

/** What an object is, where that is not what everybody expects. */
export function foreignTitle(format: ObjectFormat | undefined): string {
  return format === undefined || format.id === "agcm2" ? "" : `, ${format.title}`
}

export function skipped({ output }: Session, uri: string, target: string): void {
  const line = { type: "skipped", uri, target, reason: "exists" }
  output.report(line, ({ uri, target }) => `skipped ${uri}: ${target} exists`)
  output.count("skipped", 1)
}

/** What a dry run would get. */
export function planned(
  { output }: Session,
  plan: {
    readonly uri: string
    readonly target: string
    readonly storedBytes: number
    readonly replaces: boolean
  },
): void {
  output.report({ type: "planned", action: "get", ...plan }, ({ uri, target, storedBytes, replaces }) => {
    const how = replaces ? ", replacing it" : ""
    return `would get ${uri} (${formatBytes(storedBytes)} stored) to ${target}${how}`
  })
  output.count("planned", 1)
  output.count("storedBytes", plan.storedBytes)
}
