import { expect, test } from "vitest"
import { Pace } from "../../../src/store/pace.ts"

const KIB = 1024

/** A body of slices that each take some time to come, and how it goes with a pace of 4 KiB in 100 ms. */
async function kept(slices: readonly { readonly bytes: number; readonly ms: number }[], backMs = 0) {
  let now = 1000
  let ended = false
  async function* body() {
    try {
      for (const { bytes, ms } of slices) {
        now += ms
        yield new Uint8Array(bytes)
      }
    } finally {
      ended = true
    }
  }
  let received = 0
  const error = await (async () => {
    for await (const slice of new Pace(() => now, 100).keptBy(body(), "read s3://vault/a")) {
      received += slice.length
      now += 1000 - backMs // what the reader takes for itself does not count
    }
  })().catch((thrown: unknown) => thrown)
  return { received, error, ended }
}

const times = (count: number, bytes: number, ms: number) =>
  Array.from({ length: count }, () => ({ bytes, ms }))

test("a body that keeps the pace arrives, however long it takes", async () => {
  expect(await kept(times(500, 4 * KIB, 100))).toEqual({
    received: 2000 * KIB,
    error: undefined,
    ended: true,
  })
  expect(await kept(times(40, 1, 2))).toMatchObject({ received: 40, error: undefined })
})

test("one that is kept back is given up, and its connection too", async () => {
  const { received, error, ended } = await kept(times(1000, 1, 20))
  expect(error).toMatchObject({
    code: "S3EP_UNAVAILABLE",
    transient: "network",
    message: "cannot read s3://vault/a: 5 bytes came in 0 s",
  })
  expect(received).toBe(4)
  expect(ended).toBe(true)
})

test("fast at first is not fast enough later", async () => {
  const { error } = await kept([...times(100, 64 * KIB, 1), ...times(200, 10, 10)])
  expect(error).toMatchObject({ transient: "network" })
})

test("a clock that is set back does not matter", async () => {
  expect(await kept(times(50, 4 * KIB, 100), 5000)).toMatchObject({ received: 200 * KIB, error: undefined })
})
