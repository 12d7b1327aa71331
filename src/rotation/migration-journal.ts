import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { hex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import type { RandomSource } from "../crypto/secret.ts"
import { UsageError } from "../errors.ts"
import { AppendFile } from "../files/append-file.ts"
import { errnoOf, localError } from "../files/local-error.ts"
import type { ObjectAddress } from "../store/store.ts"
import { decodeLine, encodeLine } from "../transfer/journal-lines.ts"
import { objectUri } from "../transfer/naming.ts"
import type { Extras } from "./kept.ts"

const VERSION = 1
const RUN_ID_BYTES = 8

/** From where to where, on which endpoint: two runs with the same answers share their work. */
export interface MigrationIdentity {
  readonly endpoint: string
  readonly source: ObjectAddress
  readonly target: ObjectAddress
}

/** What is known of one object, by its key in the source; `etag` is the one it was read at. */
export type MigrationEntry =
  /** It is being written beside its place, to `beside`, and nobody has looked yet whether it is what it should be. */
  | {
      readonly state: "begun"
      readonly etag: string
      readonly beside: string
      readonly previous?: DoneEntry | undefined
    }
  /**
   * What lies beside, `besideEtag`, was read back. Where its copy is made as an upload: `creating`, when requests to
   * begin one were sent, in milliseconds since 1970, and `uploadId`, once one was answered.
   */
  | {
      readonly state: "checked"
      readonly etag: string
      readonly beside: string
      readonly besideEtag: string
      readonly creating?: readonly number[] | undefined
      readonly uploadId?: string | undefined
      /** What its place may lack when it was put there, and is given then. */
      readonly extras?: Extras | undefined
      readonly previous?: DoneEntry | undefined
    }
  | DoneEntry

/** It is in its place, where it had `targetEtag`. */
export interface DoneEntry {
  readonly state: "done"
  readonly etag: string
  readonly targetEtag: string
}

/** Names the journal of a migration: 16 hexadecimal digits. */
export function migrationId({ endpoint, source, target }: MigrationIdentity): string {
  return hex(sha256(utf8([endpoint, objectUri(source), objectUri(target)].join("\0")))).slice(0, 16)
}

/** Where the journal of a migration and its lock are kept. */
export function migrationPaths(stateDirectory: string, id: string): { journal: string; lock: string } {
  const directory = join(stateDirectory, "migrations")
  return { journal: join(directory, `${id}.jsonl`), lock: join(directory, `${id}.lock`) }
}

/**
 * The local record of a migration: JSON lines, the first says from where to where, the others what became of one
 * object each, the last one of a key counting. A line that was never finished is left out. Holds no secrets.
 */
export class MigrationJournal {
  readonly path: string
  /** Names what this migration leaves in a bucket for a while, and no other one does. */
  readonly runId: string
  readonly #file: AppendFile
  readonly #entries: Map<string, MigrationEntry>
  private constructor(path: string, file: AppendFile, { runId, entries }: Loaded) {
    this.path = path
    this.runId = runId
    this.#file = file
    this.#entries = entries
  }

  /**
   * Go on with the journal of an earlier run, or begin one. It is written anew, with what still counts.
   *
   * @throws {LocalIoError} if it cannot be read or written; {UsageError} if a newer s3ep wrote it.
   */
  static async open(
    path: string,
    identity: MigrationIdentity,
    random: RandomSource,
  ): Promise<MigrationJournal> {
    const { entries, runId } = await load(path)
    const loaded = { entries, runId: runId === "" ? hex(random(RUN_ID_BYTES)) : runId }
    const head = { v: VERSION, kind: "migration", runId: loaded.runId, ...identity }
    const lines = [...entries].map(([key, entry]) => encodeLine({ key, ...entry }))
    const file = await AppendFile.create(path, [encodeLine(head), ...lines].join(""))
    return new MigrationJournal(path, file, loaded)
  }

  /** What an earlier run of the same migration knew, without holding on to it. */
  static async read(path: string): Promise<ReadonlyMap<string, MigrationEntry>> {
    return (await load(path)).entries
  }

  get(key: string): MigrationEntry | undefined {
    return this.#entries.get(key)
  }

  /** How an object was last put in its place, whatever was begun with it since. */
  done(key: string): DoneEntry | undefined {
    const entry = this.#entries.get(key)
    return entry?.state === "done" ? entry : entry?.previous
  }

  /** Objects that are begun and not done. */
  unfinished(): [key: string, entry: MigrationEntry][] {
    return [...this.#entries].filter(([, { state }]) => state !== "done")
  }

  get size(): number {
    return this.#entries.size
  }

  /** Note what became of an object; on the disk when this returns. */
  async note(key: string, entry: MigrationEntry): Promise<void> {
    this.#entries.set(key, entry)
    await this.#file.append(encodeLine({ key, ...entry }), true)
  }

  /** Forget what was begun with an object: nothing of it is left. */
  async forget(key: string): Promise<void> {
    const done = this.done(key)
    if (done) await this.note(key, done)
    else if (this.#entries.delete(key)) {
      await this.#file.append(encodeLine({ key, state: "forgotten" }), true)
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

interface Loaded {
  readonly entries: Map<string, MigrationEntry>
  /** Empty if there is no journal yet. */
  readonly runId: string
}

async function load(path: string): Promise<Loaded> {
  const entries = new Map<string, MigrationEntry>()
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return ""
    throw localError("read", path, error)
  })
  const [first = "", ...lines] = text.slice(0, text.lastIndexOf("\n") + 1).split("\n")
  const head: { v?: unknown; runId?: unknown } = decodeLine(first) ?? {}
  if (typeof head.v === "number" && head.v > VERSION) {
    throw new UsageError(`${path} was written by a newer s3ep`, { hint: "upgrade s3ep" })
  }
  for (const line of lines) {
    const { key, ...entry }: { key?: unknown } = decodeLine(line) ?? {}
    if (typeof key !== "string") continue
    if (isEntry(entry)) entries.set(key, entry)
    else entries.delete(key)
  }
  const known = typeof head.runId === "string" && /^[0-9a-f]{16}$/.test(head.runId)
  return { entries, runId: known ? String(head.runId) : "" }
}

function isEntry(value: object): value is MigrationEntry {
  const { state, etag, beside, besideEtag, targetEtag, creating, previous }: Record<string, unknown> = {
    ...value,
  }
  if (typeof etag !== "string") return false
  if (previous !== undefined && !(typeof previous === "object" && previous !== null && isEntry(previous))) {
    return false
  }
  if (state === "begun") return typeof beside === "string"
  if (state === "checked") {
    const times = creating === undefined || (Array.isArray(creating) && creating.every(Number.isSafeInteger))
    return typeof beside === "string" && typeof besideEtag === "string" && times
  }
  return state === "done" && typeof targetEtag === "string"
}
