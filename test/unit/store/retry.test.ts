import { describe, expect, test } from "vitest"
import {
  NotFoundError,
  PreconditionError,
  S3epError,
  type TransientCause,
  UnavailableError,
} from "../../../src/errors.ts"
import { type RetryEvent, type RetryPolicy, withRetry } from "../../../src/store/retry.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { type Fault, faulty } from "../../support/faults.ts"
import { MemoryStore } from "../../support/memory-store.ts"

const settings = { metadata: { "s3ep-e": "an envelope" } }
const address = { bucket: "vault", key: "a" }

function failure(transient: TransientCause, retryAfterSeconds?: number): UnavailableError {
  return new UnavailableError(`the test says ${transient}`, { transient, retryAfterSeconds })
}

function times<T>(count: number, make: (call: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index + 1))
}

/** A store behind retries that failed in these ways, with all that came of it. */
function retried(faults: Fault[], options: { random?: number; policy?: Partial<RetryPolicy> } = {}) {
  const memory = new MemoryStore({ sliceBytes: 10, limits: { minPartBytes: 1 } })
  const events: RetryEvent[] = []
  const waits: number[] = []
  const failing = faults.reduce<ObjectStore>((store, fault) => faulty(store, fault), memory)
  const store = withRetry(failing, {
    delay: async (ms) => void waits.push(ms),
    random: () => options.random ?? 0.5,
    onRetry: (event) => events.push(event),
    policy: options.policy,
  })
  return { memory, store, events, waits }
}

const allCalls = (error: UnavailableError, operation: Fault["operation"] = "head"): Fault[] => [
  { moment: "before", error, ...(operation && { operation }) },
]

describe("waiting", () => {
  test("throttling and server errors wait from the first time on, up to a limit that doubles", async () => {
    for (const cause of ["throttled", "server"] as const) {
      const { store, waits } = retried(allCalls(failure(cause)))
      await expect(store.head(address)).rejects.toThrow(/gave up after 10 attempts/)
      expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000])
    }
  })

  test("a broken connection is tried again at once, then patiently", async () => {
    const { store, waits, events } = retried(allCalls(failure("network")))
    await store.limits("vault")
    await expect(store.head(address)).rejects.toMatchObject({ transient: "network" })
    expect(waits.slice(0, 3)).toEqual([500, 1000, 2000])
    expect(events).toHaveLength(9)
    expect(events[0]).toEqual({ what: "look at s3://vault/a", cause: "network", attempt: 1, delayMs: 0 })
  })

  test("a store that never answered is given up sooner", async () => {
    const { store, waits } = retried(allCalls(failure("network")))
    await expect(store.head(address)).rejects.toThrow(/gave up after 4 attempts/)
    expect(waits).toEqual([500, 1000])
  })

  test("jitter is full: anything from nothing to the limit", async () => {
    const low = retried(allCalls(failure("server")), { random: 0 })
    await expect(low.store.head(address)).rejects.toThrow(UnavailableError)
    expect(low.waits).toEqual([])
    const high = retried(allCalls(failure("server")), { random: 0.999, policy: { attempts: 3 } })
    await expect(high.store.head(address)).rejects.toThrow(UnavailableError)
    expect(high.waits).toEqual([999, 1998])
  })

  test("what the service asks for is kept to, within reason", async () => {
    const asked = retried(allCalls(failure("throttled", 7)), { policy: { attempts: 2 } })
    await expect(asked.store.head(address)).rejects.toThrow(UnavailableError)
    expect(asked.waits).toEqual([7000])
    const absurd = retried(allCalls(failure("throttled", 86_400)), { policy: { attempts: 2 } })
    await expect(absurd.store.head(address)).rejects.toThrow(UnavailableError)
    expect(absurd.waits).toEqual([300_000])
  })

  test("renewed credentials are tried once, at once", async () => {
    const { store, waits, events } = retried(allCalls(failure("credentials")))
    await expect(store.head(address)).rejects.toMatchObject({ transient: "credentials" })
    expect(waits).toEqual([])
    expect(events).toHaveLength(1)
  })

  test("waiting ends with the signal", async () => {
    const stop = new AbortController()
    const store = withRetry(faulty(new MemoryStore(), { moment: "before", error: failure("server") }), {
      delay: async (_ms, signal) => {
        stop.abort(new Error("enough"))
        signal?.throwIfAborted()
      },
      random: () => 0.5,
    })
    await expect(store.head(address, { signal: stop.signal })).rejects.toThrow("enough")
  })
})

describe("what is sent again", () => {
  test("nothing after a refusal", async () => {
    const refusal = new NotFoundError("no", { what: "object" })
    const { store, events } = retried([{ operation: "head", moment: "before", error: refusal }])
    await expect(store.head(address)).rejects.toBe(refusal)
    expect(events).toEqual([])
  })

  test("a part, with the same bytes, and what was counted is taken back", async () => {
    const faults = [1, 2].map((call): Fault => ({ operation: "uploadPart", call, moment: "after" }))
    const { store, memory } = retried(faults)
    const body = Buffer.from("the very same bytes")
    const uploadId = await store.createUpload(address, { settings })
    const counts: number[] = []
    const part = await store.uploadPart(address, uploadId, 1, body, { onSent: (bytes) => counts.push(bytes) })
    expect(counts).toEqual([19, -19, 19, -19, 19])
    await store.completeUpload(address, uploadId, [part], {})
    expect(memory.bytes("a")).toEqual(Uint8Array.from(body))
  })

  test("not a part that is a stream", async () => {
    const { store, events } = retried([{ operation: "uploadPart", call: 1, moment: "before" }])
    const uploadId = await store.createUpload(address, { settings })
    async function* stream() {
      yield Buffer.from("x")
    }
    const sending = store.uploadPart(address, uploadId, 1, { bytes: 1, stream: stream() }, {})
    await expect(sending).rejects.toThrow(UnavailableError)
    expect(events).toEqual([])
  })

  test.each([
    ["network", 1],
    ["server", 1],
    ["throttled", 2],
  ] as const)("a Complete after a failure called %s: %i calls", async (cause, expected) => {
    const { store, memory } = retried([
      { operation: "completeUpload", call: 1, moment: "before", error: failure(cause) },
    ])
    const uploadId = await store.createUpload(address, { settings })
    const part = await store.uploadPart(address, uploadId, 1, Buffer.from("x"), {})
    const completed = await store.completeUpload(address, uploadId, [part], {}).then(
      () => 2,
      () => 1,
    )
    expect(completed).toBe(expected)
    expect(memory.calls.filter(({ operation }) => operation === "completeUpload")).toHaveLength(expected - 1)
  })

  test("an abort whose answer was lost has succeeded", async () => {
    const { store } = retried([{ operation: "abortUpload", call: 1, moment: "after" }])
    const uploadId = await store.createUpload(address, { settings })
    await store.abortUpload(address, uploadId)
    await expect(store.abortUpload(address, uploadId)).rejects.toThrow(NotFoundError)
  })
})

describe("a conditional write whose answer was lost", () => {
  const conditions = { ifNoneMatch: "*" } as const

  test("is recognized as our own", async () => {
    const { store } = retried([{ operation: "put", call: 1, moment: "after" }])
    const stored = await store.put(address, Buffer.from("mine"), { settings, conditions })
    expect(stored).toMatchObject({ etag: (await store.head(address)).etag })
  })

  test("is refused if the object is another's", async () => {
    const { store, memory } = retried([{ operation: "put", call: 2, moment: "before" }])
    await store.put(address, Buffer.from("theirs"), { settings: { metadata: {} } })
    const mine = store.put(address, Buffer.from("ours!!"), { settings, conditions })
    await expect(mine).rejects.toThrow(PreconditionError)
    expect(Buffer.from(memory.bytes("a")).toString()).toBe("theirs")
  })
})

describe("reading", () => {
  const body = Buffer.from("0123456789".repeat(10))
  const read = async (store: ObjectStore, options = {}) => {
    const slices: Uint8Array[] = []
    for await (const slice of (await store.get(address, options)).body) slices.push(slice)
    return Buffer.concat(slices).toString()
  }

  test.each(times(5, (call) => call))(
    "a body that breaks off %i times goes on where it was",
    async (breaks) => {
      const faults = times(breaks, (call): Fault => ({ operation: "get", call, moment: "during" }))
      const { store, memory, events } = retried(faults)
      await store.put(address, body, { settings })
      expect(await read(store, { range: { start: 5, end: 95 } })).toBe(body.toString().slice(5, 95))
      expect(events).toHaveLength(breaks)
      // Progress in between: every break is the first of its kind, and tried again at once.
      expect(events.every(({ delayMs }) => delayMs === 0)).toBe(true)
      const ranges = memory.calls.flatMap(({ range }) => (range ? [range] : []))
      expect(ranges.at(-1)).toEqual({ start: 5 + 10 * breaks, end: 95 })
    },
  )

  test("what changed meanwhile is not mixed in", async () => {
    const { store } = retried([{ operation: "get", call: 1, moment: "during" }])
    await store.put(address, body, { settings })
    const answer = await store.get(address)
    await store.put(address, Buffer.from("x".repeat(100)), { settings })
    const reading = (async () => {
      for await (const _ of answer.body);
    })()
    await expect(reading).rejects.toThrow(PreconditionError)
  })

  test("a body nobody reads is given up", async () => {
    const { store } = retried([])
    await store.put(address, body, { settings })
    const iterator = (await store.get(address)).body[Symbol.asyncIterator]()
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
  })
})

test("lists go on after what they gave", async () => {
  const faults = times(3, (call): Fault => ({ operation: "list", call, moment: "during" }))
  const { store } = retried(faults)
  for (const key of ["a", "b/1", "b/2", "c", "d"])
    await store.put({ bucket: "vault", key }, body(), { settings })
  const keys: string[] = []
  for await (const entry of store.list("vault", { delimiter: "/" })) keys.push(entry.key)
  expect(keys).toEqual(["a", "b/", "c", "d"])
})

test("so do lists of uploads", async () => {
  const memory = new MemoryStore()
  const uploadIds = await Promise.all(
    times(3, (n) => memory.createUpload({ bucket: "vault", key: `u${n}` }, { settings })),
  )
  const listing = withRetry(faulty(memory, { operation: "listUploads", call: 1, moment: "during" }), {
    delay: () => Promise.resolve(),
    random: () => 0,
  })
  const found: string[] = []
  for await (const upload of listing.listUploads("vault")) found.push(upload.uploadId)
  expect(found).toEqual(uploadIds)
})

test("every operation is retried until it works", async () => {
  for (const moment of ["before", "after"] as const) {
    const { store, memory } = retried(times(40, (n) => ({ call: 2 * n - 1, moment })))
    const uploadId = await store.createUpload(address, { settings })
    await store.uploadPart(address, uploadId, 1, body(), {})
    for await (const part of store.listParts(address, uploadId)) expect(part.partNumber).toBe(1)
    await store.abortUpload(address, uploadId)
    await store.put(address, body(), { settings })
    expect(await store.head(address)).toMatchObject({ bytes: 4 })
    await store.delete(address)
    expect(() => memory.bytes("a")).toThrow(S3epError)
  }
})

function body(): Uint8Array {
  return Buffer.from("body")
}
