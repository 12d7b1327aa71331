import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { downloadFile } from "../../src/transfer/download.ts"
import { journalId, journalPath } from "../../src/transfer/journal.ts"
import { uploadFile } from "../../src/transfer/upload.ts"
import { recordCiphers } from "../support/cipher-recorder.ts"
import { faulty } from "../support/faults.ts"
import type { MemoryUpload } from "../support/memory-model.ts"
import { makeSite, plaintextOf, putSealed, windowBytes } from "../unit/transfer/download-fixture.ts"
import { noise, opened, openSite, PART, type Site, thrown } from "../unit/transfer/upload-site.ts"

// The machine loses what was not synced: a journal may end at any byte, whatever the store and the disk have. Only
// its first line is there or not, since a journal gets its name when that line is on the disk.

const content = noise(PART + 100)
const address = { bucket: "vault", key: "a.bin" }
const timeout = 120_000

function pathOf(site: Site): string {
  return journalPath(site.context().stateDirectory, journalId(site.store.endpoint, address))
}

/** Every length from its first line on, and some before. */
function* cutsOf(journal: Buffer): Generator<number> {
  const head = journal.indexOf(0x0a)
  for (let length = 0; length < head; length += 50) yield length
  for (let length = head; length <= journal.length; length++) yield length
}

/** Puts the store back to how it was, as often as it is asked. */
function snapshot(site: Site): () => Promise<void> {
  const uploads: [string, MemoryUpload][] = [...site.store.uploads].map(([id, upload]) => [
    id,
    { ...upload, parts: new Map(upload.parts) },
  ])
  return async () => {
    await site.store.delete(address)
    site.store.uploads.clear()
    for (const [id, upload] of uploads)
      site.store.uploads.set(id, { ...upload, parts: new Map(upload.parts) })
  }
}

describe("the journal of an upload, cut at every byte", () => {
  test.each([
    ["after its first part", 2],
    ["with all parts sent", 3],
  ])("%s", { timeout }, async (_, failing) => {
    await using site = await openSite()
    using ciphers = recordCiphers()
    const path = await site.file("a.bin", content)
    const request = site.request(path, { concurrency: 1 })
    const operation = failing === 3 ? "completeUpload" : "uploadPart"
    const store = faulty(site.store, {
      operation,
      moment: "before",
      ...(failing === 3 ? {} : { call: failing }),
    })
    await thrown(uploadFile(site.context({ store }), request))
    const journal = await readFile(pathOf(site))
    const restore = snapshot(site)
    for (const length of cutsOf(journal)) {
      await restore()
      await writeFile(pathOf(site), journal.subarray(0, length))
      await uploadFile(site.context(), request)
      expect(await opened(site.store, site.kek)).toEqual(content)
      if (length > journal.indexOf(0x0a)) expect(site.store.uploads.size).toBe(0)
      expect(await readdir(join(site.directory, "state", "uploads"))).toEqual([])
    }
    expect(new Set(ciphers.pairs).size).toBe(ciphers.pairs.length)
  })

  test("when Complete had succeeded", { timeout }, async () => {
    await using site = await openSite()
    const path = await site.file("a.bin", content)
    const request = site.request(path, { concurrency: 1 })
    const unheard = faulty(site.store, { operation: "completeUpload", moment: "after" })
    const store = faulty(unheard, { operation: "head", moment: "before" })
    await thrown(uploadFile(site.context({ store }), request))
    expect(site.store.uploads.size).toBe(0)
    const journal = await readFile(pathOf(site))
    const { etag } = await site.store.head(address)
    const calls = site.store.calls.length
    for (let length = journal.indexOf(0x0a) + 1; length <= journal.length; length++) {
      await writeFile(pathOf(site), journal.subarray(0, length))
      expect(await uploadFile(site.context(), request)).toMatchObject({ etag })
      expect(await readdir(join(site.directory, "state", "uploads"))).toEqual([])
    }
    const operations = site.store.calls.slice(calls).map((call) => call.operation)
    expect(new Set(operations)).toEqual(new Set(["head", "listParts"]))
  })
})

describe("the journal of a download, cut at every byte", () => {
  const BYTES = 120_000
  const download = { bucket: "vault", key: "dir/file" }

  test.each([
    ["with all that was written on the disk", (bytes: Buffer) => bytes],
    ["with nothing of it on the disk", (bytes: Buffer) => Buffer.alloc(bytes.length)],
    ["with the file cut too", (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ])("%s", { timeout }, async (_, damage) => {
    const site = await makeSite()
    await putSealed(site.store, download.key, plaintextOf(BYTES))
    const request = { address: download, target: site.target, windowBytes, concurrency: 1 }
    const store = faulty(site.store, { operation: "get", call: 4, moment: "before" })
    await expect(downloadFile(site.with({ store }), request)).rejects.toThrow("reset")
    const directory = join(site.context.stateDirectory, "downloads")
    const [name = ""] = await readdir(directory)
    const [part = ""] = await readdir(site.targets)
    const journal = await readFile(join(directory, name))
    const written = damage(await readFile(join(site.targets, part)))
    const head = journal.indexOf(0x0a) + 1
    for (const length of cutsOf(journal)) {
      await rm(site.target, { force: true })
      await mkdir(directory, { recursive: true })
      const begun = journal.subarray(0, length).toString()
      await writeFile(join(site.targets, part), written)
      const { dev, ino } = await stat(join(site.targets, part))
      await writeFile(
        join(directory, name),
        begun.replace(/"device":\d+,"inode":\d+/, `"device":${dev},"inode":${ino}`),
      )
      await downloadFile(site.context, request)
      expect((await readFile(site.target)).equals(plaintextOf(BYTES))).toBe(true)
      expect(await readdir(directory)).toEqual([])
      if (length >= head) expect(await readdir(site.targets)).toEqual(["file"])
    }
  })
})
