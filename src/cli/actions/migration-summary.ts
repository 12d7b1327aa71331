import type { Finding } from "../../compat/format.ts"
import type { MigrationItem } from "../../rotation/migrate.ts"
import { isInPlace } from "../../rotation/migrate-job.ts"
import type { ObjectAddress } from "../../store/store.ts"
import { objectUri } from "../../transfer/naming.ts"
import type { Session } from "../session.ts"
import { counted, formatBytes, table } from "../text.ts"

/** What a small object takes: looking, reading its tags, writing, reading back, three to put it in its place, removing. */
const REQUESTS_PER_OBJECT = 9
/** Each of a large object's parts is read, written and read back. */
const REQUESTS_PER_PART = 3
const PART_BYTES = 16 * 1024 ** 2

interface Kind {
  readonly format: string
  readonly title: string
  objects: number
  bytes: number
  storedBytes: number
}

/** Adds up what a migration found: for its plan, and for what there is to say about the formats it met. */
export class MigrationSummary {
  readonly #session: Session
  readonly #plan: boolean
  readonly #kinds = new Map<string, Kind>()
  readonly #findings = new Map<string, { readonly finding: Finding; objects: number }>()
  readonly #skipped = new Map<string, number>()
  #failed = 0
  #requests = 0
  #versions = 0

  constructor(session: Session, { plan = false }: { readonly plan?: boolean }) {
    this.#session = session
    this.#plan = plan
  }

  add(item: MigrationItem): void {
    const { facts, outcome, why, bytes, storedBytes } = item
    if (isInPlace(item) && (item.stored?.versionId ?? "null") !== "null") this.#versions++
    if (outcome === "failed") this.#failed++
    if (outcome === "skipped" && why !== null) this.#skipped.set(why, (this.#skipped.get(why) ?? 0) + 1)
    if (!facts) return
    const { format, title, findings } = facts
    const kind = this.#kinds.get(title) ?? { format, title, objects: 0, bytes: 0, storedBytes: 0 }
    this.#kinds.set(title, kind)
    kind.objects++
    kind.bytes += bytes
    kind.storedBytes += storedBytes
    this.#requests += REQUESTS_PER_OBJECT + Math.floor(bytes / PART_BYTES) * REQUESTS_PER_PART
    for (const finding of findings) {
      const found = this.#findings.get(finding.code) ?? { finding, objects: 0 }
      this.#findings.set(finding.code, found)
      found.objects++
    }
  }

  /** Say what there is to say once all objects were dealt with. */
  finish(source: ObjectAddress): void {
    for (const { finding, objects } of this.#findings.values()) {
      this.#session.output.notice(`${counted(objects, "object")}: ${finding.message}`, hintOf(finding))
    }
    if (this.#versions > 0) {
      this.#session.output.notice(
        `the bucket keeps versions: what ${counted(this.#versions, "object")} held stays there as it was`,
        "delete the older versions once nobody needs them",
      )
    }
    if (this.#plan) this.#print(source)
  }

  #print(source: ObjectAddress): void {
    const kinds = [...this.#kinds.values()].sort((a, b) => b.bytes - a.bytes)
    const skipped = [...this.#skipped].map(([reason, objects]) => ({ reason, objects }))
    const total = (of: (kind: Kind) => number) => kinds.reduce((sum, kind) => sum + of(kind), 0)
    const bytes = total((kind) => kind.bytes)
    const line = {
      type: "plan",
      uri: objectUri(source),
      migrate: kinds,
      skipped,
      failed: this.#failed,
      objects: total(({ objects }) => objects),
      bytes,
      // Read once to migrate, and once more to compare.
      downloadBytes: total((kind) => kind.storedBytes) + bytes,
      uploadBytes: bytes,
      requests: this.#requests,
    }
    this.#session.output.answer(line, ({ uri, objects, downloadBytes, uploadBytes, requests, failed }) => {
      const rows = [
        ...kinds.map((kind) => [counted(kind.objects, "object"), formatBytes(kind.bytes), kind.title]),
        ...skipped.map((each) => [counted(each.objects, "object"), "", `left: ${each.reason}`]),
        ...(failed > 0 ? [[counted(failed, "object"), "", "cannot be migrated, as said above"]] : []),
      ]
      const work =
        objects === 0
          ? "there is nothing to migrate"
          : `to migrate: ${counted(objects, "object")}, about ${formatBytes(downloadBytes)} to read and ` +
            `${formatBytes(uploadBytes)} to write, in about ${requests} requests`
      return [uri, ...table(rows, [0, 1]).map((row) => `  ${row}`), work].join("\n")
    })
  }
}

// Whoever migrates needs not be told to.
function hintOf({ code, hint }: Finding): string | undefined {
  return code === "nonce-reuse" ? "change the secrets they held" : hint
}
