import { readFile, stat, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { beforeEach, describe, expect, test } from "vitest"
import { hex } from "../../../src/bytes.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import { Journal, journalId, journalPath, removeJournal } from "../../../src/transfer/journal.ts"
import { encodeLine, type JournalHead, loadJournal } from "../../../src/transfer/journal-lines.ts"
import { openSite, type Site, thrown } from "./upload-site.ts"

const head: JournalHead = {
  v: 1,
  kind: "upload",
  endpoint: "https://s3.example",
  bucket: "vault",
  key: 'a\u{1f600}b\n"c',
  uploadId: "upload-1",
  geometry: { chunkBytes: 4096, chunksPerSegment: 4 },
  plaintextBytes: 100_000,
  source: { path: "/a", dev: "1", ino: "2", size: "100000", mtimeNs: "1", ctimeNs: "2" },
  envelope: {
    v: 2,
    fmt: "agcm2",
    bind: "key",
    recipients: [{ kek: "aes:00", alg: "HKDF-A256GCM", ct: "AAAA" }],
  },
  settings: { metadata: { check: "x" } },
  created: "2026-03-01T00:00:00.000Z",
}
const salt = (): string => hex(systemRandom(24))
const partLine = (part: number) => ({
  part,
  salt: salt(),
  bytes: 16_528,
  etag: `"${part}"`,
  checksum: undefined,
})

let site: Site
let path: string
beforeEach(async () => {
  site = await openSite()
  path = journalPath(site.context().stateDirectory, journalId(head.endpoint, head))
  return () => site[Symbol.asyncDispose]()
})

async function written(): Promise<string> {
  const journal = await Journal.create(path, head)
  await journal.attempt({ attempt: 1, again: true, salt: salt(), crc32: 7 })
  await journal.part(partLine(1))
  await journal.mark({ resumed: "2026-03-02T00:00:00.000Z" })
  await journal.mark({ completing: true })
  await journal.close()
  return readFile(path, "utf8")
}

test("what was noted is read again", async () => {
  await written()
  expect(await loadJournal(path)).toMatchObject({
    state: "whole",
    head,
    parts: new Map([[1, expect.objectContaining({ part: 1, etag: '"1"' })]]),
    attempts: new Map([[1, [expect.objectContaining({ attempt: 1, again: true, crc32: 7 })]]]),
    completing: true,
  })
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await stat(dirname(path))).mode & 0o777).toBe(0o700)
})

test("its name depends on endpoint, bucket and key, each for itself", () => {
  const ids = [
    journalId("e", { bucket: "b", key: "k" }),
    journalId("e2", { bucket: "b", key: "k" }),
    journalId("e", { bucket: "bk", key: "" }),
    journalId("e", { bucket: "b", key: "k2" }),
  ]
  expect(new Set(ids).size).toBe(4)
  expect(ids[0]).toMatch(/^[0-9a-f]{16}$/)
})

test("cut anywhere, it says what was whole, or that nothing was", async () => {
  const text = await written()
  const bytes = Buffer.from(text)
  for (let length = 0; length < bytes.length; length++) {
    await writeFile(path, bytes.subarray(0, length))
    const wholeLines = bytes.subarray(0, length).toString("latin1").split("\n").length - 1
    const loaded = await loadJournal(path)
    if (wholeLines === 0) expect(loaded).toMatchObject({ state: "damaged", head: null })
    else {
      expect(loaded).toMatchObject({ state: "whole", head, completing: false })
      expect(loaded?.state === "whole" && loaded.attempts.size).toBe(Math.min(1, wholeLines - 1))
    }
  }
})

test("any changed byte before the last line is noticed", async () => {
  const bytes = Buffer.from(await written())
  const lastLine = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1
  for (let at = 0; at < lastLine; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at] = (damaged[at] ?? 0) ^ 1
    await writeFile(path, damaged)
    expect(await loadJournal(path)).toMatchObject({ state: "damaged" })
  }
})

test("a torn line is cut off before the next one is written", async () => {
  const text = await written()
  await writeFile(path, `${text}{"part":2,"sa`)
  const loaded = await loadJournal(path)
  const journal = await Journal.reopen(path, loaded?.state === "whole" ? loaded.bytes : 0)
  await journal.part(partLine(3))
  await journal.close()
  const again = await loadJournal(path)
  expect(again?.state === "whole" && [...again.parts.keys()]).toEqual([1, 3])
})

test("one that a newer s3ep wrote is refused and left alone", async () => {
  await written()
  const newer = encodeLine({ ...head, v: 2, kind: "other" })
  await writeFile(path, newer)
  expect(await thrown(loadJournal(path))).toMatchObject({
    code: "S3EP_USAGE",
    hint: expect.stringContaining("upgrade"),
  })
  expect(await readFile(path, "utf8")).toBe(newer)
})

test.each([
  ["no geometry", { ...head, geometry: undefined }],
  ["a geometry of text", { ...head, geometry: { chunkBytes: "4096", chunksPerSegment: "4" } }],
  ["no source", { ...head, source: null }],
  ["settings that are none", { ...head, settings: [] }],
  ["a size that does not exist", { ...head, plaintextBytes: -1 }],
])("a first line with %s is damaged, whatever its check says", async (_, line) => {
  await written()
  await writeFile(path, encodeLine(line))
  expect(await loadJournal(path)).toMatchObject({ state: "damaged", head: null })
})

test("a part that the upload cannot have is not as it was written", async () => {
  await written()
  for (const part of [0, 8, 1.5]) {
    await writeFile(path, `${encodeLine(head)}${encodeLine(partLine(part))}`)
    expect(await loadJournal(path)).toMatchObject({ state: "damaged", head: { key: head.key } })
  }
})

test("there may be none, and it may be removed twice", async () => {
  expect(await loadJournal(path)).toBeNull()
  await written()
  await removeJournal(path)
  await removeJournal(path)
  expect(await loadJournal(path)).toBeNull()
})

test("ten thousand parts noted at once are all there, in lines of their own", async () => {
  const journal = await Journal.create(path, { ...head, plaintextBytes: 10_000 * 16_384 })
  await Promise.all(Array.from({ length: 10_000 }, (_, index) => journal.part(partLine(index + 1))))
  await journal.close()
  const loaded = await loadJournal(path)
  expect(loaded?.state === "whole" && loaded.parts.size).toBe(10_000)
})

describe("what cannot be written", () => {
  test("fails every line from then on", async () => {
    const journal = await Journal.create(path, head)
    await journal.close()
    expect(await thrown(journal.part(partLine(1)))).toMatchObject({ message: expect.any(String) })
    expect(await thrown(journal.part(partLine(2)))).toMatchObject({ message: expect.any(String) })
  })

  test("is a local failure when there is no place for it", async () => {
    const file = await site.file("state-is-a-file", new Uint8Array(0))
    expect(await thrown(Journal.create(`${file}/uploads/x.jsonl`, head))).toMatchObject({
      code: "S3EP_LOCAL_IO",
    })
  })
})
