import { describe, expect, test } from "vitest"
import {
  ContradictionError,
  DeniedError,
  S3epError,
  type TransientCause,
  UnavailableError,
} from "../../../src/errors.ts"
import { withRetry } from "../../../src/store/retry.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { recordCiphers } from "../../support/cipher-recorder.ts"
import { type FaultPlace, scenarios } from "../../support/fault-scenarios.ts"
import { type Fault, faulty } from "../../support/faults.ts"
import { memoryLimits } from "../../support/memory-model.ts"
import { MemoryStore } from "../../support/memory-store.ts"

// As test/contract/faults.ts, without HTTP: every call of the store fails, in every moment and for every reason.

const BUCKET = "vault"
const PART_BYTES = 16_384

const unavailable = (transient: TransientCause, retryAfterSeconds?: number) =>
  new UnavailableError(`${transient} (by the test)`, { transient, retryAfterSeconds })

const ways: readonly (readonly [string, Fault])[] = [
  ...(["before", "after", "during"] as const).flatMap((moment) => [
    [`a reset ${moment} the store acts`, { moment }] as const,
    [`500 ${moment} the store acts`, { moment, error: unavailable("server") }] as const,
    [`503 ${moment} the store acts`, { moment, error: unavailable("throttled", 3) }] as const,
    [
      `an answer that makes no sense, ${moment} the store acts`,
      { moment, error: unavailable("garbled") },
    ] as const,
  ]),
  ["credentials that expired and were renewed", { moment: "before", error: unavailable("credentials") }],
  ["credentials that expired for good", { moment: "before", error: new DeniedError("they expired") }],
  ["an answer that ends early", { moment: "after", operation: "get", resize: -7 }],
  ["an answer that goes on", { moment: "after", operation: "get", resize: 7 }],
]

function openPlace(): { place: FaultPlace; memory: MemoryStore } {
  const memory = new MemoryStore({
    buckets: [BUCKET],
    limits: { minPartBytes: PART_BYTES, maxPutBytes: memoryLimits.maxPutBytes },
  })
  return {
    place: { bucket: BUCKET, store: faulty(memory, { call: 0, moment: "before" }), partBytes: PART_BYTES },
    memory,
  }
}

/** How many calls a run makes that nothing happens to. */
async function callsOf(open: (typeof scenarios)[string]["open"]): Promise<number> {
  const { place, memory } = openPlace()
  await using command = await open(place)
  const before = memory.calls.length
  await command.run(place.store)
  return memory.calls.length - before
}

function retrying(store: ObjectStore): ObjectStore {
  return withRetry(store, { delay: async () => undefined, random: () => 0 })
}

for (const [name, { open, retried }] of Object.entries(scenarios)) {
  if (name === "stream") continue // is one call to a store that is no S3
  const count = await callsOf(open)
  const calls = Array.from({ length: count }, (_, index) => index + 1)
  describe(name, () => {
    test.each(ways)("%s, at every call", async (_, way) => {
      for (const call of calls) {
        const { place } = openPlace()
        using ciphers = recordCiphers()
        await using command = await open(place)
        const failing = faulty(place.store, { ...way, call })
        const retries = retried ?? call % 2 === 0
        const failure = await command
          .run(retries ? retrying(failing) : failing)
          .catch((error: unknown) => error)
        if (failure) {
          if (!(failure instanceof S3epError)) throw failure
          // What makes no sense is not believed; with no attempt left, that is what the run ends with.
          const senseless = failure instanceof ContradictionError
          if (!senseless) expect(["S3EP_UNAVAILABLE", "S3EP_DENIED"]).toContain(failure.code)
          await command.run(place.store)
        }
        await command.expectOutcome()
        expect(new Set(ciphers.pairs).size).toBe(ciphers.pairs.length)
      }
    })
  })
}
