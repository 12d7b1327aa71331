import { UsageError } from "../errors.ts"
import type { KeyNeed } from "../keys/need.ts"
import { journalPath } from "./journal.ts"
import { loadJournal } from "./journal-lines.ts"
import { objectUri } from "./naming.ts"
import { journalNames } from "./unfinished.ts"

/**
 * The keys that the unfinished uploads of this machine need to go on.
 *
 * @throws {LocalIoError} if a journal cannot be read.
 */
export async function uploadNeeds(stateDirectory: string): Promise<KeyNeed[]> {
  const needs: KeyNeed[] = []
  for (const name of await journalNames(stateDirectory)) {
    const head = await headOf(journalPath(stateDirectory, name.slice(0, -".jsonl".length)))
    if (!head) continue
    const { bucket, key, envelope } = head
    needs.push({
      what: `the unfinished upload of ${objectUri({ bucket, key })}`,
      recipients: envelope.recipients,
    })
  }
  return needs
}

async function headOf(path: string) {
  try {
    return (await loadJournal(path))?.head ?? null
  } catch (error) {
    if (error instanceof UsageError) return null // a newer s3ep's, which is for that one to go on with
    throw error
  }
}
