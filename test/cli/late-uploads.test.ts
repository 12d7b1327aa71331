import { readdir, writeFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { faulty } from "../support/faults.ts"
import { openCliSite } from "./cli-site.ts"

const PARTS = ["--part-size", "16KiB", "--chunk-size", "4KiB"]

test("what a request without an answer makes when its upload is done, the put of any file removes later", async () => {
  let now = Date.UTC(2026, 2, 1)
  const site = await openCliSite({ limits: { minPartBytes: 4096 }, now: () => new Date(now) })
  await writeFile(site.home.path("large"), new Uint8Array(100_000))
  await writeFile(site.home.path("small"), "s")
  const lost = faulty(site.store, { operation: "createUpload", moment: "before" })
  const put = ["put", "large", "s3://vault/large", ...PARTS]
  expect((await site.run(put, { now, store: lost, delay: async () => undefined })).status).toBe(9)
  now += 1000
  await site.succeed(put, { now })
  now += 1
  await site.store.createUpload({ bucket: "vault", key: "large" }, { settings: { metadata: {} } })
  for (const [after, left] of [
    [60_000, 1],
    [60_000, 0],
  ] as const) {
    now += after
    await site.succeed(["put", "small", "s3://vault/small", "--dry-run"], { now })
    await site.succeed(["put", "small", "s3://vault/small"], { now })
    expect(site.store.uploads.size).toBe(left)
    expect(await readdir(site.home.path("state/s3ep/uploads"))).toHaveLength(left)
  }
})
