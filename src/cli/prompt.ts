import { SecretBytes } from "../crypto/secret.ts"
import { InterruptedError, KeyMissingError } from "../errors.ts"
import type { Io } from "./io.ts"

const ENTER = 0x0d
const NEWLINE = 0x0a
const CTRL_C = 0x03
const CTRL_D = 0x04
const CTRL_U = 0x15
const BACKSPACE = 0x08
const DELETE = 0x7f
const MAX_BYTES = 4096

/**
 * Ask for a secret on the terminal, without echo. Its bytes never become a string.
 *
 * @throws {KeyMissingError} if the terminal is closed without an answer.
 * @throws {InterruptedError} at Ctrl-C.
 */
export async function askSecret(
  question: string,
  io: Pick<Io, "stdin" | "stderr">,
  signal: AbortSignal,
): Promise<SecretBytes> {
  const { stdin, stderr } = io
  signal.throwIfAborted()
  stderr.write(question)
  stdin.setRawMode?.(true)
  const typed = new Uint8Array(MAX_BYTES)
  try {
    const bytes = await readLine(stdin, typed, signal, "no passphrase was given")
    return new SecretBytes(typed.slice(0, bytes))
  } finally {
    typed.fill(0)
    stdin.setRawMode?.(false)
    stdin.pause()
    stderr.write("\n")
  }
}

/**
 * Ask for a yes on the terminal; anything else is a no.
 *
 * @throws {KeyMissingError} if the terminal is closed without an answer.
 */
export async function askYes(
  question: string,
  io: Pick<Io, "stdin" | "stderr">,
  signal: AbortSignal,
): Promise<boolean> {
  const { stdin, stderr } = io
  signal.throwIfAborted()
  stderr.write(`${question} [y/N] `)
  const typed = new Uint8Array(MAX_BYTES)
  try {
    const bytes = await readLine(stdin, typed, signal, "no answer was given")
    return /^y(?:es)?$/i.test(new TextDecoder().decode(typed.subarray(0, bytes)).trim())
  } finally {
    stdin.pause()
  }
}

function readLine(
  stdin: Io["stdin"],
  typed: Uint8Array,
  signal: AbortSignal,
  unanswered: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0
    const settle = (finish: () => void) => {
      stdin.off("data", onData).off("end", onEnd)
      signal.removeEventListener("abort", onAbort)
      finish()
    }
    const noAnswer = () => reject(new KeyMissingError(unanswered))
    const onAbort = () => settle(() => reject(signal.reason))
    const onEnd = () => settle(noAnswer)
    const onData = (piece: Uint8Array) => {
      for (const byte of piece) {
        if (byte === ENTER || byte === NEWLINE) {
          settle(() => resolve(bytes))
          break
        }
        if (byte === CTRL_C) {
          settle(() => reject(new InterruptedError("SIGINT")))
          break
        }
        if (byte === CTRL_D && bytes === 0) {
          settle(noAnswer)
          break
        }
        bytes = edited(typed, bytes, byte)
      }
      piece.fill(0)
    }
    signal.addEventListener("abort", onAbort, { once: true })
    stdin.on("data", onData).on("end", onEnd)
    stdin.resume()
  })
}

/** The length of a line after one more byte was typed. */
function edited(typed: Uint8Array, bytes: number, byte: number): number {
  if (byte === CTRL_U) return 0
  if (byte === BACKSPACE || byte === DELETE) return beforeLastCharacter(typed, bytes)
  if (byte < 0x20 || bytes === typed.length) return bytes
  typed[bytes] = byte
  return bytes + 1
}

function beforeLastCharacter(typed: Uint8Array, bytes: number): number {
  let length = Math.max(0, bytes - 1)
  // The bytes of a character after its first are 0b10xxxxxx.
  while (length > 0 && ((typed[length] ?? 0) & 0xc0) === 0x80) length--
  return length
}
