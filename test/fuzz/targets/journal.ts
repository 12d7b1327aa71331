import { UsageError } from "../../../src/errors.ts"
import { encodeLine, parseJournal } from "../../../src/transfer/journal-lines.ts"
import { progressOf } from "../../../src/transfer/unfinished.ts"
import { expecting, textOf } from "../support.ts"

/**
 * The journal reader, on bytes as they are and on lines that were given the check they need: a journal is whole or
 * damaged, or a newer version's; and of a whole one everything that is said can be worked with.
 */
export async function fuzz(data: Uint8Array): Promise<void> {
  const [mode = 0] = data
  const content = mode % 2 === 0 ? data.subarray(1) : checked(textOf(data.subarray(1)))
  await expecting([UsageError], () => {
    const journal = parseJournal(content, "journal")
    if (journal.state === "damaged") return
    const { parts, storedBytes } = progressOf(journal.head, journal.parts)
    if (!Number.isSafeInteger(storedBytes) || journal.parts.size > parts)
      throw new Error("more than there is")
    if (journal.bytes > content.length) throw new Error("longer than the file")
    const cut = parseJournal(content.subarray(0, journal.bytes), "journal")
    if (cut.state !== "whole") throw new Error("its own whole lines are not whole")
  })
}

function checked(text: string): Uint8Array {
  const lines = text.split("\n").map((line) => {
    try {
      const value: unknown = JSON.parse(line)
      return typeof value === "object" && value !== null && !Array.isArray(value)
        ? encodeLine(value)
        : `${line}\n`
    } catch {
      return `${line}\n`
    }
  })
  return Buffer.from(lines.join(""))
}
