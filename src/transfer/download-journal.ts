import { createHash } from "node:crypto"
import { type FileHandle, open, readFile, unlink } from "node:fs/promises"
import { join } from "node:path"
import { fromHex, hex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import { encodeEnvelope } from "../envelope/codec.ts"
import { UsageError } from "../errors.ts"
import { errnoOf, localError } from "../files/local-error.ts"
import { writeStateFile } from "../files/state-file.ts"
import type { ObjectAddress } from "../store/store.ts"
import type { OpenObject } from "./inspect.ts"
import type { FileIdentity } from "./replace.ts"

const VERSION = 1

/** What a download is of, and where to: two runs with the same answers may share their work. */
export interface DownloadIdentity {
  readonly endpoint: string
  readonly bucket: string
  readonly key: string
  /** The version the user asked for. */
  readonly versionId: string | null
  readonly etag: string
  readonly storedVersionId: string | null
  /** SHA-256 of the envelope, hexadecimal. */
  readonly envelope: string
  readonly storedBytes: number
  readonly chunkBytes: number
  readonly chunksPerSegment: number
  /** The limit the windows were cut with. */
  readonly windowBytes: number
  readonly target: string
}

/** The file an unfinished download is written to. */
export interface TemporaryFile extends FileIdentity {
  readonly path: string
}

/** A window that verified and was written; nothing here is believed before the file was read again. */
export interface DoneWindow {
  readonly window: number
  /** Of its plaintext; see `WindowProofs`. */
  readonly proof: string
  /** Of the segments that begin in it, hexadecimal, by segment index. */
  readonly salts: Readonly<Record<string, string>>
}

export interface EarlierDownload {
  readonly identity: DownloadIdentity
  readonly temporary: TemporaryFile
  readonly windows: readonly DoneWindow[]
}

export function downloadIdentity(
  endpoint: string,
  object: OpenObject,
  request: { versionId?: string | undefined; target: string; windowBytes: number },
): DownloadIdentity {
  const { address, info, layout } = object
  return {
    endpoint,
    bucket: address.bucket,
    key: address.key,
    versionId: request.versionId ?? null,
    etag: info.etag,
    storedVersionId: info.versionId ?? null,
    envelope: hex(sha256(utf8(encodeEnvelope(object.envelope)))),
    storedBytes: info.bytes,
    chunkBytes: layout.chunkBytes,
    chunksPerSegment: layout.chunksPerSegment,
    windowBytes: request.windowBytes,
    target: request.target,
  }
}

export function sameDownload(a: DownloadIdentity, b: DownloadIdentity): boolean {
  return inFixedOrder(a) === inFixedOrder(b)
}

export function downloadsDirectory(stateDirectory: string): string {
  return join(stateDirectory, "downloads")
}

/** Names the download of one object, in one version, to one target: 32 hexadecimal digits. */
export function downloadJournalId(
  endpoint: string,
  address: ObjectAddress,
  versionId: string | undefined,
  target: string,
): string {
  const about = JSON.stringify([endpoint, address.bucket, address.key, versionId ?? null, target])
  return createHash("sha256").update(about).digest("hex").slice(0, 32)
}

export function downloadJournalPath(stateDirectory: string, id: string): string {
  return join(downloadsDirectory(stateDirectory), `${id}.jsonl`)
}

/** The local record of an unfinished download: JSON lines, the first says of what, the others which windows are done. */
export class DownloadJournal {
  readonly path: string
  readonly #file: FileHandle
  #entries: number

  private constructor(path: string, file: FileHandle, entries: number) {
    this.path = path
    this.#file = file
    this.#entries = entries
  }

  /** How many windows it speaks of. */
  get entries(): number {
    return this.#entries
  }

  /**
   * Begin one, in place of any there is. It is on the disk when this returns: a temporary file that only an empty
   * journal speaks of would stay for ever.
   */
  static async create(
    path: string,
    identity: DownloadIdentity,
    temporary: TemporaryFile,
  ): Promise<DownloadJournal> {
    await writeStateFile(path, `${JSON.stringify({ v: VERSION, ...identity, temporary })}\n`)
    return doing(path, async () => new DownloadJournal(path, await open(path, "a"), 0))
  }

  /** Go on with the one there is. */
  static async continue(path: string, earlier: EarlierDownload): Promise<DownloadJournal> {
    return doing(path, async () => {
      const file = await open(path, "a", 0o600)
      await file.appendFile("\n") // ends a line that a crash may have cut
      return new DownloadJournal(path, file, earlier.windows.length)
    })
  }

  async append(done: DoneWindow): Promise<void> {
    await doing(this.path, () => this.#file.appendFile(`${JSON.stringify(done)}\n`))
    this.#entries++
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async remove(): Promise<void> {
    await this.#file.close()
    await unlink(this.path).catch(() => undefined)
  }
}

/**
 * Read what an earlier run left.
 *
 * @returns null if there is nothing, or nothing that makes sense.
 * @throws {UsageError} if a newer version wrote it.
 */
export async function loadDownloadJournal(path: string): Promise<EarlierDownload | null> {
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null
    throw localError("read", path, error)
  }
  const [first = "", ...rest] = text.split("\n")
  const head = parseLine(first)
  if (!head) return null
  const { v, temporary, ...identity } = head
  if (typeof v === "number" && v > VERSION) {
    throw new UsageError(`${path} was written by a newer s3ep`, {
      hint: "go on with that version, or remove the file to start over",
    })
  }
  if (v !== VERSION || !isTemporary(temporary) || !isIdentity(identity)) return null
  // A line that was cut, or never written, only means that its window is fetched again.
  const windows = rest.map(parseLine).filter((line) => isDoneWindow(line))
  return { identity, temporary, windows }
}

/** The salts a done window claims; null if one of them is none. */
export function saltsOf(done: DoneWindow): Map<number, Uint8Array> | null {
  const salts = new Map<number, Uint8Array>()
  for (const [segmentIndex, text] of Object.entries(done.salts)) {
    const salt = fromHex(text)
    if (salt?.length !== 24) return null
    salts.set(Number(segmentIndex), salt)
  }
  return salts
}

function inFixedOrder(identity: DownloadIdentity): string {
  return JSON.stringify(Object.entries(identity).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function parseLine(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === "object" && value !== null ? { ...value } : null
  } catch {
    return null
  }
}

function isIdentity(value: object): value is DownloadIdentity {
  return "endpoint" in value && "etag" in value && "target" in value
}

function isTemporary(value: unknown): value is TemporaryFile {
  if (typeof value !== "object" || value === null) return false
  const { path, device, inode }: { path?: unknown; device?: unknown; inode?: unknown } = value
  return typeof path === "string" && typeof device === "number" && typeof inode === "number"
}

function isDoneWindow(value: unknown): value is DoneWindow {
  if (typeof value !== "object" || value === null) return false
  const { window, proof, salts }: { window?: unknown; proof?: unknown; salts?: unknown } = value
  const isSalts = typeof salts === "object" && salts !== null
  return (
    Number.isSafeInteger(window) &&
    typeof proof === "string" &&
    isSalts &&
    Object.values(salts).every((salt) => typeof salt === "string")
  )
}

async function doing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw localError("write", path, error)
  }
}
