import { readdirSync, readFileSync } from "node:fs"
import { cp, mkdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { encodeEnvelope } from "../../src/envelope/codec.ts"
import { fromUserMetadata, toUserMetadata } from "../../src/envelope/metadata.ts"
import { KeyDirectory } from "../../src/keys/directory.ts"
import { openKeySet } from "../../src/keys/keyset.ts"
import { systemRandom } from "../../src/keys/random.ts"
import type { ObjectAddress } from "../../src/store/store.ts"
import { downloadFile } from "../../src/transfer/download.ts"
import { downloadJournalId, downloadJournalPath } from "../../src/transfer/download-journal.ts"
import { journalId, journalPath } from "../../src/transfer/journal.ts"
import { decodeLine, encodeLine, type JournalHead } from "../../src/transfer/journal-lines.ts"
import { openSource } from "../../src/transfer/source.ts"
import {
  type Golden,
  goldenDirectory,
  goldenPlaintext,
  PASSPHRASE,
  sha256Of,
  takeKeys,
  UNFINISHED_BYTES,
  UNFINISHED_KEY,
  WINDOW_BYTES,
} from "../support/golden/scenarios.ts"
import { hostileStore } from "../support/hostile-store.ts"
import { checksumOf, memoryLimits, wholeEtag } from "../support/memory-model.ts"
import { MemoryStore } from "../support/memory-store.ts"
import { type Home, openHome, runCli } from "../support/run-cli.ts"

// What any version has written is read by this one, and will be for ever.

const versions = readdirSync(goldenDirectory)

async function openGolden(version: string) {
  const directory = join(goldenDirectory, version)
  const golden: Golden = JSON.parse(readFileSync(join(directory, "golden.json"), "utf8"))
  const home = await openHome()
  onTestFinished(() => home[Symbol.asyncDispose]())
  await takeKeys(directory, home)
  await writeFile(home.path("passphrase"), PASSPHRASE, { mode: 0o600 })
  const store = new MemoryStore({ limits: { minPartBytes: 4096 } })
  for (const { key, file, metadata = {} } of golden.objects) {
    const bytes = await readFile(join(directory, "objects", file))
    await store.put({ bucket: "vault", key }, bytes, { settings: { metadata } })
  }
  const keyring = await readFile(join(directory, "keyring.json"))
  await store.put({ bucket: "vault", key: "ringed/.s3ep/keyring.json" }, keyring, {
    settings: { metadata: {} },
  })
  const run = (argv: readonly string[]) => runCli([...argv, "--no-progress"], { home, store })
  return { directory, golden, home, store, run }
}

test("there are golden files", () => expect(versions).toContain("0.1.0"))

describe.each(versions)("what %s wrote", (version) => {
  test("objects come back, byte for byte", async () => {
    const { golden, home, run } = await openGolden(version)
    for (const { why, key, plaintextBytes, plaintextSha256, with: reading } of golden.objects) {
      const { status, stderr } = await run(["get", `s3://vault/${key}`, "back", ...reading])
      expect(status, `${why}: ${stderr}`).toBe(0)
      const back = await readFile(home.path("back"))
      expect(back.length, why).toBe(plaintextBytes)
      expect(sha256Of(back), why).toBe(plaintextSha256)
      expect((await stat(home.path("back"))).mode & 0o777, why).toBe(0o640)
    }
  })

  test("envelopes are understood, and written as they were", async () => {
    const { golden } = await openGolden(version)
    for (const { key, recipients } of golden.envelopes) {
      const metadata = golden.objects.find((object) => object.key === key)?.metadata ?? {}
      const envelope = fromUserMetadata(metadata)
      expect(envelope?.recipients, key).toEqual(recipients)
      if (!envelope) continue
      const again = fromUserMetadata(toUserMetadata(envelope, memoryLimits))
      expect(again && encodeEnvelope(again), key).toBe(encodeEnvelope(envelope))
    }
  })

  test("containers are decrypted", async () => {
    const { directory, golden, home, run } = await openGolden(version)
    for (const { why, file, plaintextSha256, with: reading } of golden.containers) {
      const { status, stderr } = await run([
        "decrypt",
        join(directory, "containers", file),
        "back",
        ...reading,
      ])
      expect(status, `${why}: ${stderr}`).toBe(0)
      expect(sha256Of(await readFile(home.path("back"))), why).toBe(plaintextSha256)
    }
  })

  test("key files are the keys they were", async () => {
    const { golden, run } = await openGolden(version)
    const { status, lines, stderr } = await run(["keys", "list", "--json"])
    expect(status, stderr).toBe(0)
    expect(lines.filter(({ type }) => type === "key")).toEqual(
      golden.keys.map((key) => expect.objectContaining(key)),
    )
  })

  test("an upload that was interrupted is resumed", async () => {
    const { directory, golden, home, store, run } = await openGolden(version)
    const [first = "", ...rest] = (await readFile(join(directory, "journals/upload.jsonl"), "utf8")).split(
      "\n",
    )
    const head = decodeLine(first) as JournalHead
    const file = home.path(UNFINISHED_KEY)
    await writeFile(file, goldenPlaintext(UNFINISHED_BYTES))
    // The one thing that cannot be kept is the file that it was an upload of.
    await using source = await openSource(file)
    const journal = journalPath(home.path("state/s3ep"), journalId(head.endpoint, head))
    await mkdir(home.path("state/s3ep/uploads"), { recursive: true, mode: 0o700 })
    await writeFile(
      journal,
      [encodeLine({ ...head, source: { path: file, ...source.identity } }), rest.join("\n")].join(""),
    )
    const parts = await Promise.all(
      golden.upload.parts.map(async ({ part, file }) => {
        const data = await readFile(join(directory, "parts", file))
        const told = {
          partNumber: part,
          etag: wholeEtag(data),
          bytes: data.length,
          checksum: checksumOf(data),
        }
        return [part, { ...told, data, lastModified: new Date(0) }] as const
      }),
    )
    const address: ObjectAddress = { bucket: head.bucket, key: head.key }
    const settings = { metadata: toUserMetadata(head.envelope, memoryLimits) }
    store.uploads.set(golden.upload.uploadId, {
      address,
      settings,
      initiated: new Date(0),
      parts: new Map(parts),
    })

    const listed = await run(["mp-upload", "list", "--json"])
    expect(listed.lines.find(({ type }) => type === "upload")).toMatchObject({ state: "resumable" })
    const { status, stderr, lines } = await run(["put", file, `s3://vault/${UNFINISHED_KEY}`, "--json"])
    expect(status, stderr).toBe(0)
    expect(lines[0]).toMatchObject({ type: "stored", resumedParts: golden.upload.parts.length })
    expect((await run(["get", `s3://vault/${UNFINISHED_KEY}`, "back"])).status).toBe(0)
    expect((await readFile(home.path("back"))).equals(goldenPlaintext(UNFINISHED_BYTES))).toBe(true)
  })

  test("a download that was interrupted is resumed", async () => {
    const { directory, golden, home, store } = await openGolden(version)
    const [first = "", ...rest] = (await readFile(join(directory, "journals/download.jsonl"), "utf8")).split(
      "\n",
    )
    const head = JSON.parse(first)
    const address: ObjectAddress = { bucket: head.bucket, key: head.key }
    const target = home.path("back")
    const path = home.path(".back.s3ep-000000000000.part")
    await cp(join(directory, "journals", golden.download.temporary), path)
    const { dev: device, ino: inode } = await stat(path)
    const journal = downloadJournalPath(
      home.path("state/s3ep"),
      downloadJournalId(head.endpoint, address, undefined, target),
    )
    await mkdir(home.path("state/s3ep/downloads"), { recursive: true, mode: 0o700 })
    const begun = JSON.stringify({ ...head, target, temporary: { ...head.temporary, path, device, inode } })
    await writeFile(journal, [begun, ...rest].join("\n"))
    const same = hostileStore(store)
    same.lies.set(head.key, { info: (info) => ({ ...info, etag: head.etag }) })
    using keys = await goldenKeys(home)
    const result = await downloadFile(
      {
        store: same,
        keys,
        random: systemRandom,
        clock: { now: () => 0, delay: async () => undefined },
        stateDirectory: home.path("state/s3ep"),
        onProgress: () => undefined,
        signal: new AbortController().signal,
      },
      { address, target, windowBytes: WINDOW_BYTES },
    )
    expect(result.resumedBytes).toBeGreaterThan(0)
    const object = golden.objects.find(({ key }) => key === head.key)
    expect(sha256Of(await readFile(target))).toBe(object?.plaintextSha256)
  })
})

async function goldenKeys(home: Home) {
  const directory = new KeyDirectory(home.path("config/s3ep/keys"))
  return await openKeySet(
    { purpose: "read" },
    { directory, random: systemRandom, env: {}, signal: new AbortController().signal },
  )
}
