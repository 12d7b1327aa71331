import { expect, test } from "vitest"
import { putInPlace } from "../../../src/rotation/put-in-place.ts"
import { memorySite, NOW } from "./rotation-site.ts"

const target = { bucket: "vault", key: "to/a" }
const beside = { bucket: "vault", key: "to/.s3ep/migrate/1/a" }
const settings = { metadata: { who: "us" } }

test("what a request without an answer has made is found where the service checks nothing at the end, too", async () => {
  const site = await memorySite()
  const body = new Uint8Array(10)
  const { etag } = await site.store.put(beside, body, { settings })
  await site.store.createUpload(target, { settings })
  const request = { beside, besideEtag: etag, storedBytes: 10, target, settings, conditions: {} }
  const limits = { ...(await site.store.limits("vault")), conditionalComplete: false }
  await putInPlace(site.context(), { ...request, unanswered: [NOW], onUpload: async () => undefined }, limits)
  expect(site.store.uploads.size).toBe(0)
  expect((await site.store.head(target)).metadata).toEqual(settings.metadata)
})
