import { writeFile } from "node:fs/promises"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { withRetry } from "../../../src/store/retry.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { uploadFile } from "../../../src/transfer/upload.ts"
import { recordCiphers } from "../../support/cipher-recorder.ts"
import { faulty } from "../../support/faults.ts"
import { noise, opened, openSite, PART, type Site } from "./upload-site.ts"

const BYTES = 5 * PART + 100
const CHUNKS = 21

/** One run of the program: where its store fails, whether a retry hides that, whether the file changed before. */
interface Run {
  readonly call: number
  readonly moment: "before" | "after"
  readonly retried: boolean
  readonly changed: boolean
  readonly concurrency: number
}

const run: fc.Arbitrary<Run> = fc.record({
  call: fc.integer({ min: 1, max: 10 }),
  moment: fc.constantFrom("before" as const, "after" as const),
  retried: fc.boolean(),
  changed: fc.boolean(),
  concurrency: fc.integer({ min: 1, max: 4 }),
})

function retrying(store: ObjectStore): ObjectStore {
  return withRetry(store, { delay: async () => undefined, random: () => 0.5, onRetry: () => undefined })
}

async function uploadThrough(site: Site, path: string, runs: readonly Run[]): Promise<Uint8Array> {
  let content = noise(BYTES)
  await writeFile(path, content)
  for (const [index, { call, moment, retried, changed, concurrency }] of runs.entries()) {
    if (changed) {
      content = noise(BYTES, index + 2)
      await writeFile(path, content)
    }
    const failing = faulty(site.store, { call, moment })
    const store = retried ? retrying(failing) : failing
    const request = site.request(path, { concurrency })
    await uploadFile(site.context({ store }), request).catch(() => undefined)
  }
  await uploadFile(site.context(), site.request(path))
  return content
}

describe("no (key, nonce) pair is ever used twice", () => {
  test("the recorder sees every chunk, and would see a repetition", async () => {
    await using site = await openSite()
    using recording = recordCiphers()
    const path = await site.file("a.bin", noise(BYTES))
    await uploadFile(site.context(), site.request(path))
    expect(recording.pairs.length).toBeGreaterThanOrEqual(CHUNKS)
    const repeated = { ...site.context(), random: (length: number) => new Uint8Array(length) }
    await uploadFile(repeated, site.request(path))
    await uploadFile(repeated, site.request(path))
    expect(new Set(recording.pairs).size).toBeLessThan(recording.pairs.length)
  })

  test("over retries, resumes, changed sources and concurrent parts", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(run, { maxLength: 4 }), async (runs) => {
        await using site = await openSite()
        using recording = recordCiphers()
        const path = await site.file("a.bin", new Uint8Array())
        const content = await uploadThrough(site, path, runs)
        expect(new Set(recording.pairs).size).toBe(recording.pairs.length)
        expect(await opened(site.store, site.kek)).toEqual(content)
      }),
      { numRuns: 60 },
    )
  })
})
