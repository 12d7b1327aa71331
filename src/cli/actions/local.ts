import { readFile } from "node:fs/promises"
import { basename, resolve } from "node:path"
import { utf8 } from "../../bytes.ts"
import type { PrivateMetadata } from "../../envelope/private-metadata.ts"
import { UsageError } from "../../errors.ts"
import { lstatIfAny } from "../../files/calls.ts"
import { localError } from "../../files/local-error.ts"
import type { ObjectFormat } from "../../transfer/inspect.ts"
import {
  decryptFile,
  decryptStream,
  encryptFile,
  encryptStream,
  type FormerObject,
  type LocalContext,
  type LocalRequest,
  type LocalResult,
} from "../../transfer/local.ts"
import { named } from "../../transfer/naming.ts"
import { existsAlready } from "../../transfer/replace.ts"
import { openSource } from "../../transfer/source.ts"
import { parsePlace } from "../address.ts"
import { counting, deliverToFile } from "../deliver.ts"
import { type ExpectationOptions, readExpectation } from "../expectation.ts"
import { metadataOf, piecesOf, standardInput } from "../input.ts"
import { writeData } from "../output.ts"
import type { ReadingFlags } from "../reading.ts"
import type { Session } from "../session.ts"
import { formatBytes } from "../text.ts"
import { foreignTitle } from "./fetched.ts"

export interface LocalOptions {
  /** `--no-clobber` makes it false. */
  readonly clobber: boolean
  readonly dryRun?: boolean
}

export interface DecryptLocalOptions extends LocalOptions, ExpectationOptions {
  readonly plaintext?: boolean
  readonly allowUnauthenticated?: boolean
  readonly sealedValue?: boolean
  readonly aad?: string
  readonly aadFile?: string
  readonly objectMetadata?: string
  readonly objectKey?: string
}

/** One direction of the way between a file and its container. */
interface Direction {
  readonly verb: "encrypt" | "decrypt"
  readonly done: "encrypted" | "decrypted"
  readonly ofFile: (context: LocalContext, request: LocalRequest) => Promise<LocalResult>
  readonly ofStream: (
    context: LocalContext,
    source: AsyncIterable<Uint8Array>,
    original: { readonly metadata: PrivateMetadata | undefined; readonly bytes: number | undefined },
  ) => AsyncIterable<Uint8Array>
  /** What `ofStream` turned out to read. */
  readonly format?: () => ObjectFormat | undefined
}

/** Where from and where to; null is standard input or output. */
interface Ends {
  readonly from: string | null
  readonly to: string | null
  /** As the user wrote it. */
  readonly source: string
  readonly clobber: boolean
}

/** `encrypt`. */
export function encryptLocal(
  session: Session,
  source: string,
  dest: string,
  options: LocalOptions,
): Promise<void> {
  const { chunkSize: chunkBytes } = session.settings
  return transform(session, source, dest, options, {
    verb: "encrypt",
    done: "encrypted",
    ofFile: (context, request) => encryptFile(context, { ...request, chunkBytes }),
    ofStream: (context, pieces, { metadata: privateMetadata }) =>
      encryptStream(context, pieces, { chunkBytes, privateMetadata }),
  })
}

/** `decrypt`. */
export async function decryptLocal(
  session: Session,
  source: string,
  dest: string,
  options: DecryptLocalOptions,
): Promise<void> {
  const object = await formerObject(session, options)
  const reading = {
    ...options,
    sealedValue: await sealedValueOf(session, options),
    expect: readExpectation(options, true),
  }
  let format: ObjectFormat | undefined
  const onFormat = (found: ObjectFormat): void => {
    format = found
  }
  const subject = source === "-" ? "standard input" : source
  return transform(session, source, dest, reading, {
    verb: "decrypt",
    done: "decrypted",
    ofFile: (context, request) => decryptFile(context, { ...request, object }),
    ofStream: (context, pieces, { bytes }) =>
      decryptStream(context, pieces, { onFormat, subject, object, bytes }),
    format: () => format,
  })
}

async function formerObject(
  { io }: Session,
  { objectMetadata, objectKey: key }: DecryptLocalOptions,
): Promise<FormerObject | undefined> {
  if (objectMetadata === undefined && key === undefined) return undefined
  if (objectMetadata === undefined || key === undefined) {
    throw new UsageError("--object-metadata and --object-key go together", {
      hint: "aws s3api head-object prints what --object-metadata takes; --object-key is the key it had",
    })
  }
  const { readObjectMetadata } = await import("../object-metadata.ts")
  return { key, metadata: await readObjectMetadata(resolve(io.cwd, objectMetadata)) }
}

async function sealedValueOf(
  { io }: Session,
  { sealedValue, aad, aadFile }: DecryptLocalOptions,
): Promise<ReadingFlags["sealedValue"]> {
  if (aad !== undefined && aadFile !== undefined) {
    throw new UsageError("--aad and --aad-file exclude each other")
  }
  if (aad !== undefined) return { aad: utf8(aad) }
  if (aadFile === undefined) return sealedValue ? { aad: new Uint8Array(0) } : undefined
  const path = resolve(io.cwd, aadFile)
  try {
    return { aad: new Uint8Array(await readFile(path)) }
  } catch (error) {
    throw localError("read", path, error)
  }
}

async function transform(
  session: Session,
  source: string,
  dest: string,
  { clobber, dryRun, ...flags }: LocalOptions & ReadingFlags,
  direction: Direction,
): Promise<void> {
  const { io, output } = session
  session.interruptionHint = "run the same command again"
  const from = localPath(session, source, direction.verb)
  const to = localPath(session, dest, direction.verb)
  if (to === null && direction.verb === "encrypt" && io.stdout.isTTY) {
    throw new UsageError("ciphertext is nothing for a terminal", {
      hint: "name a file to write, or use a pipe",
    })
  }
  if (dryRun) return plan(session, { from, to, source, dest, clobber }, direction.verb)
  const context = await session.local(direction.verb === "encrypt" ? "write" : "read", flags)
  if (to === null) output.reserveStdout()
  const result = await deliver(session, context, direction, { from, to, source, clobber }).catch((error) => {
    throw named(error, direction.verb, source === "-" ? "standard input" : source)
  })
  const { target, bytes, format } = result
  const known = direction.verb === "decrypt" ? { format: format?.id ?? null } : {}
  const line = { type: direction.done, source, target, bytes, ...known }
  if (to !== null || output.json) {
    output.report(line, ({ type, source, target, bytes }) => {
      return `${type} ${source} to ${target} (${formatBytes(bytes)}${foreignTitle(format)})`
    })
  }
  output.count("bytes", result.bytes)
}

async function deliver(
  session: Session,
  context: LocalContext,
  { verb, ofFile, ofStream, format }: Direction,
  { from, to, source, clobber: overwrite }: Ends,
): Promise<LocalResult> {
  const { io, signal } = session
  if (from !== null && to !== null) {
    return ofFile(context, { source: from, target: to, item: source, overwrite })
  }
  await using file = from === null ? undefined : await openSource(from)
  const input = counting(file ? piecesOf(file) : standardInput(io.stdin, signal))
  const metadata = file && metadataOf(file, basename(source))
  const pieces = reported(context, source, input.pieces, file?.bytes)
  const output = counting(ofStream(context, pieces, { metadata, bytes: file?.bytes }))
  if (to === null) await writeData(io.stdout, output.pieces, signal)
  else await deliverToFile(context, output.pieces, to, overwrite)
  const bytes = verb === "decrypt" ? output.bytes() : input.bytes()
  return { target: to ?? "-", bytes, format: format?.() }
}

async function* reported(
  { onProgress }: LocalContext,
  item: string,
  pieces: AsyncIterable<Uint8Array>,
  bytes: number | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  onProgress({ type: "started", item, bytes, doneBytes: 0, parts: undefined })
  for await (const piece of pieces) {
    onProgress({ type: "advanced", item, bytes: piece.length })
    yield piece
  }
  onProgress({ type: "finished", item })
}

/** Says what would be done, and refuses what would be refused. */
async function plan(
  { output }: Session,
  { from, to, source, dest, clobber }: Ends & { readonly dest: string },
  verb: string,
): Promise<void> {
  if (from !== null) await (await openSource(from))[Symbol.asyncDispose]()
  const replaces = to !== null && (await lstatIfAny(to)) !== null
  if (replaces && !clobber) throw existsAlready(dest)
  const line = { type: "planned", action: verb, source, target: dest, replaces }
  output.report(line, ({ source, target, replaces }) => {
    return `would ${verb} ${source} to ${target}${replaces ? ", replacing it" : ""}`
  })
  output.count("planned", 1)
}

function localPath(session: Session, given: string, verb: string): string | null {
  const place = parsePlace(given)
  if (place.kind === "stdio") return null
  if (place.kind === "path") return resolve(session.io.cwd, place.path)
  throw new UsageError(`${verb} works on local files, and ${given} is not one`, {
    hint: verb === "encrypt" ? "to upload, use `s3ep put`" : "to download, use `s3ep get`",
  })
}
