import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { hex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import { AppendFile } from "../files/append-file.ts"
import { errnoOf, localError } from "../files/local-error.ts"
import { removeStateFile } from "../files/state-file.ts"
import type { Acl } from "../store/store.ts"
import { decodeLine, encodeLine } from "../transfer/journal-lines.ts"
import type { RotationRequest, Target } from "./request.ts"

/** A run that was interrupted longer ago than this is done anew: too much may have changed behind where it stopped. */
const KEPT_MS = 7 * 86_400_000

/** What a run of these targets is kept under: two rotations of them exclude each other, whatever they wrap to. */
export function rotationId(endpoint: string, { targets, shard, reencrypt }: RotationRequest): string {
  const words = [
    endpoint,
    ...targets.map(targetUri),
    shard ? `${shard.index}/${shard.count}` : "",
    String(reencrypt ?? false),
  ]
  return hex(sha256(utf8(words.join("\0")))).slice(0, 16)
}

export function targetUri(target: Target): string {
  return target.kind === "object"
    ? `s3://${target.address.bucket}/${target.address.key}`
    : `s3://${target.bucket}/${target.prefix}`
}

export function rotationPaths(stateDirectory: string, id: string): { journal: string; lock: string } {
  const directory = join(stateDirectory, "rotations")
  return { journal: join(directory, `${id}.jsonl`), lock: join(directory, `${id}.lock`) }
}

/** The first line: which rotation it is. */
interface HeadLine {
  readonly v: 1
  readonly kind: "rotation"
  /** Ids of the KEKs moved to and away from. */
  readonly to: readonly string[]
  readonly from: readonly string[]
  readonly started: string
}

/** An object that is about to be written in more than one step, with what puts it right if the steps are cut off. */
export interface BegunLine {
  readonly begun: string
  readonly bucket: string
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly acl?: Acl | undefined
  readonly lock?: { readonly mode: string; readonly until: string } | undefined
  readonly legalHold?: boolean | undefined
  /** Of what is replaced. */
  readonly etag: string
  /** Of what replaces it: nobody else's object has this envelope. */
  readonly metadata: Readonly<Record<string, string>>
  /** The upload of a copy in parts. */
  readonly upload?: string | undefined
  readonly sentAt?: number | undefined
}

/** Where in the targets an object is. */
export interface Position {
  readonly target: number
  readonly key: string
}

/** What an earlier run left. */
export interface Unfinished {
  /** All objects up to here were dealt with. */
  readonly position: Position | null
  /** Objects whose steps were cut off. */
  readonly begun: readonly BegunLine[]
  readonly started: Date
}

/** The record of a run: how far it came, and which objects it was in the middle of. */
export class RotationJournal {
  readonly #file: AppendFile

  private constructor(file: AppendFile) {
    this.#file = file
  }

  /**
   * Take up a journal, or begin one.
   *
   * @returns what is to be gone on with. A journal of other KEKs, or an old one, tells only which objects to put right.
   */
  static async open(
    path: string,
    rotation: { readonly to: readonly string[]; readonly from: readonly string[] },
    nowMs: number,
  ): Promise<{ journal: RotationJournal; unfinished: Unfinished | null }> {
    const found = await load(path)
    const head: HeadLine = { v: 1, kind: "rotation", ...rotation, started: new Date(nowMs).toISOString() }
    const same = found && sameWords(found.head.to, head.to) && sameWords(found.head.from, head.from)
    const fresh = found && nowMs - Date.parse(found.head.started) < KEPT_MS
    if (found && same && fresh) {
      const journal = new RotationJournal(await AppendFile.reopen(path, found.bytes))
      const { position, begun } = found
      return { journal, unfinished: { position, begun, started: new Date(found.head.started) } }
    }
    const text = [head, ...(found?.begun ?? [])].map(encodeLine).join("")
    const journal = new RotationJournal(await AppendFile.create(path, text))
    const { begun } = found ?? { begun: [] }
    return {
      journal,
      unfinished: begun.length > 0 ? { position: null, begun, started: new Date(nowMs) } : null,
    }
  }

  /** On the disk when this returns: nothing is sent before. */
  begin(line: BegunLine): Promise<void> {
    return this.#file.append(encodeLine(line), true)
  }

  /** All steps are done. */
  settle(bucket: string, key: string): Promise<void> {
    return this.#file.append(encodeLine({ settled: key, bucket }), false)
  }

  reached({ target, key }: Position): Promise<void> {
    return this.#file.append(encodeLine({ reached: key, target }), false)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  /** The run is over: the next one begins anew. */
  async remove(): Promise<void> {
    await this.#file.close()
    await removeStateFile(this.#file.path)
  }
}

interface Loaded {
  readonly head: HeadLine
  readonly position: Position | null
  readonly begun: readonly BegunLine[]
  readonly bytes: number
}

/** A damaged line and all behind it are left out: what they say is found out again by looking. */
async function load(path: string): Promise<Loaded | null> {
  let content: Buffer
  try {
    content = await readFile(path)
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null
    throw localError("read", path, error)
  }
  let bytes = 0
  let head: HeadLine | null = null
  let position: Position | null = null
  const begun = new Map<string, BegunLine>()
  for (let end = content.indexOf(10); end >= 0; end = content.indexOf(10, bytes)) {
    const line = decodeLine(content.toString("utf8", bytes, end))
    if (!line) break
    if (!head) {
      if (!isHead(line)) return null
      head = line
    } else if (isBegun(line)) begun.set(`${line.bucket}/${line.begun}`, line)
    else if ("settled" in line && "bucket" in line) begun.delete(`${line.bucket}/${line.settled}`)
    else if (isReached(line)) position = { target: line.target, key: line.reached }
    bytes = end + 1
  }
  return head && { head, position, begun: [...begun.values()], bytes }
}

function isHead(line: object): line is HeadLine {
  const { v, kind, to, from, started }: { [member in keyof HeadLine]?: unknown } = line
  return v === 1 && kind === "rotation" && isWords(to) && isWords(from) && typeof started === "string"
}

function isBegun(line: object): line is BegunLine {
  const { begun, bucket, etag, metadata }: { [member in keyof BegunLine]?: unknown } = line
  const texts = [begun, bucket, etag].every((member) => typeof member === "string")
  return texts && typeof metadata === "object" && metadata !== null
}

function isReached(line: object): line is { reached: string; target: number } {
  return (
    "reached" in line &&
    typeof line.reached === "string" &&
    "target" in line &&
    typeof line.target === "number"
  )
}

function isWords(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((word) => typeof word === "string")
}

function sameWords(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, index) => word === b[index])
}
