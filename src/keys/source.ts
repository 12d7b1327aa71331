import { spawn } from "node:child_process"
import { createReadStream } from "node:fs"
import { open } from "node:fs/promises"
import type { Readable } from "node:stream"
import { concat } from "../bytes.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"

const MAX_SECRET_BYTES = 65_536
const GROUP_AND_OTHERS = 0o077
const PRIVATE_DESCRIPTORS = 3 // below are standard input, output and error, which stay open

/**
 * Read a secret from a file, all of it.
 *
 * @param what - what it holds, to stand in errors.
 * @throws {KeyMissingError} if it cannot be read, is longer than 64 KiB, or someone else may read it.
 */
export async function readSecretFile(path: string, what = "key"): Promise<SecretBytes> {
  const { content, exposed } = await readKeyFile(path, what)
  if (!exposed) return content
  content[Symbol.dispose]()
  throw exposed
}

/**
 * Read a file that may hold a secret or a public key, all of it.
 *
 * @param what - what it holds, to stand in errors.
 * @returns the content, and what to throw if it turns out to be secret: someone else may read it.
 * @throws {KeyMissingError} if it cannot be read, or is longer than 64 KiB.
 */
export async function readKeyFile(
  path: string,
  what = "key",
): Promise<{ content: SecretBytes; exposed: KeyMissingError | null }> {
  const { stream, isExposed } = await openFile(path, what)
  const content = await drain(stream, `the ${what} file ${path}`)
  const exposed = isExposed
    ? new KeyMissingError(`others than you may read the ${what} file ${path}`, {
        hint: `chmod 600 ${shellQuoted(path)}`,
      })
    : null
  return { content, exposed }
}

/**
 * Run a command in the shell and take what it prints. Its standard error is the caller's; its standard input is
 * empty, since that may be the data to encrypt.
 *
 * @throws {KeyMissingError} if it fails, or prints nothing or more than 64 KiB. Names the exit status only: the
 * command may hold a password of its own.
 * @throws the signal's reason if it is aborted.
 */
export async function readSecretCommand(
  command: string,
  options: {
    env: Readonly<Record<string, string | undefined>>
    signal?: AbortSignal | undefined
    what?: string | undefined
  },
): Promise<SecretBytes> {
  const { env, signal, what = "key" } = options
  signal?.throwIfAborted()
  const child = spawn(command, { shell: true, env: { ...env }, stdio: ["ignore", "pipe", "inherit"] })
  const kill = () => {
    child.kill()
    child.stdout.destroy() // what the shell started may hold it open
  }
  signal?.addEventListener("abort", kill)
  const ended = new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(`cannot be run: ${codeOf(error)}`))
    child.once("close", (status, killedBy) =>
      resolve(status === 0 ? null : killedBy ? `was killed by ${killedBy}` : `failed with status ${status}`),
    )
  })
  let secret: SecretBytes | undefined
  try {
    secret = await drain(child.stdout, `the output of the ${what} command`)
    const failure = await ended
    signal?.throwIfAborted()
    if (failure) throw new KeyMissingError(`the ${what} command ${failure}`)
    if (secret.length === 0) throw new KeyMissingError(`the ${what} command printed nothing`)
    return secret
  } catch (error) {
    secret?.[Symbol.dispose]()
    kill()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener("abort", kill)
  }
}

/**
 * Read a secret from an open file descriptor, to its end, and close it (unless it is one of the standard three).
 *
 * @throws {KeyMissingError} if it is not open for reading, or holds more than 64 KiB.
 */
export async function readSecretDescriptor(descriptor: number, what = "key"): Promise<SecretBytes> {
  const origin = `the ${what} in file descriptor ${descriptor}`
  const autoClose = descriptor >= PRIVATE_DESCRIPTORS
  return await drain(createReadStream("", { fd: descriptor, autoClose }), origin)
}

/**
 * Read a secret from a stream, to its end.
 *
 * @param origin - what it is, to stand in errors.
 * @throws {KeyMissingError} if it cannot be read, or holds more than 64 KiB.
 * @throws the signal's reason if it is aborted.
 */
export async function readSecretStream(
  stream: Readable,
  origin: string,
  signal: AbortSignal,
): Promise<SecretBytes> {
  signal.throwIfAborted()
  const stop = () => void stream.destroy()
  signal.addEventListener("abort", stop, { once: true })
  try {
    return await drain(stream, origin)
  } finally {
    signal.removeEventListener("abort", stop)
    signal.throwIfAborted()
  }
}

async function openFile(path: string, what: string): Promise<{ stream: Readable; isExposed: boolean }> {
  let file: Awaited<ReturnType<typeof open>> | undefined
  try {
    file = await open(path)
    const status = await file.stat()
    // Windows has no such bits; what a pipe's say means nothing.
    const isExposed =
      process.platform !== "win32" && status.isFile() && (status.mode & GROUP_AND_OTHERS) !== 0
    return { stream: file.createReadStream(), isExposed }
  } catch (error) {
    await file?.close()
    throw new KeyMissingError(`cannot read the ${what} file ${path}: ${codeOf(error)}`, { cause: error })
  }
}

async function drain(stream: Readable, origin: string): Promise<SecretBytes> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const piece of stream) {
      pieces.push(piece)
      bytes += piece.length
      if (bytes > MAX_SECRET_BYTES) {
        throw new KeyMissingError(`${origin} has more than ${MAX_SECRET_BYTES} bytes`)
      }
    }
    return new SecretBytes(concat(...pieces))
  } catch (error) {
    if (error instanceof KeyMissingError) throw error
    throw new KeyMissingError(`cannot read ${origin}: ${codeOf(error)}`, { cause: error })
  } finally {
    for (const piece of pieces) piece.fill(0)
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  if (code === "ENOENT") return "it does not exist"
  if (code === "EACCES") return "permission denied"
  if (code === "EISDIR") return "it is a directory"
  return typeof code === "string" ? code : "unknown reason"
}

function shellQuoted(path: string): string {
  return /^[\w./~+:@%-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
