import { expect, test } from "vitest"
import { uploadFile } from "../../../src/transfer/upload.ts"
import { CHUNK, noise, opened, openSite, PART } from "./upload-site.ts"

const sizes = [
  0,
  1,
  CHUNK - 1,
  CHUNK,
  CHUNK + 1,
  PART - 1,
  PART,
  PART + 1,
  2 * PART,
  2 * PART + 1,
  5 * PART - 1,
]

test.each(sizes)("a file of %i bytes comes out as it went in", async (bytes) => {
  await using site = await openSite()
  const content = noise(bytes)
  const path = await site.file("a.bin", content)
  const result = await uploadFile(site.context(), site.request(path))
  expect(await opened(site.store, site.kek)).toEqual(content)
  const parts = Math.max(1, Math.ceil(bytes / PART))
  expect(result).toMatchObject({ bytes, parts, resumedParts: 0, kek: [site.kek.id] })
  expect(site.store.bytes("a.bin")).toHaveLength(result.storedBytes)
  expect(site.store.uploads.size).toBe(0)
})
