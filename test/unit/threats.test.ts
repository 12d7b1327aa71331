import { existsSync, readFileSync } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { expect, test } from "vitest"
import { openStream } from "../../src/agcm/stream.ts"
import type { SecretBytes } from "../../src/crypto/secret.ts"
import { openEnvelope } from "../../src/envelope/envelope.ts"
import { fromUserMetadata } from "../../src/envelope/metadata.ts"
import { IntegrityError, KeyMissingError, UnavailableError } from "../../src/errors.ts"
import { downloadFile } from "../../src/transfer/download.ts"
import { faulty } from "../support/faults.ts"
import type { MemoryStore } from "../support/memory-store.ts"
import { collect, kekOf, makeSite, plaintextOf, putSealed, windowBytes } from "./transfer/download-fixture.ts"
import { slices } from "./transfer/upload-site.ts"

const root = new URL("../../", import.meta.url)
const section =
  readFileSync(new URL("ARCHITECTURE.md", root), "utf8").split("## Threats\n")[1]?.split("\n## ")[0] ?? ""
const claims = [...section.matchAll(/^- `(test\/[^`]+)`: "([^"]+)"$/gm)].map(
  ([, file = "", name = ""]) => [file, name] as const,
)

test("each threat has tests", () => {
  expect(claims.length).toBeGreaterThan(20)
  for (const paragraph of section.split("\n**").slice(1)) expect(paragraph).toMatch(/^- `test\//m)
  expect(section.match(/^- /gm)).toHaveLength(claims.length)
})

test.each(claims)("%s has the test that ARCHITECTURE.md names: %s", (file, name) => {
  expect(existsSync(new URL(file, root))).toBe(true)
  const quoted = new RegExp(`\\(\\s*(["'\`])${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\1`)
  expect(readFileSync(new URL(file, root), "utf8")).toMatch(quoted)
})

async function dekOf(store: MemoryStore, key: string): Promise<SecretBytes> {
  const envelope = fromUserMetadata(store.settings(key).metadata)
  if (!envelope) throw new Error("no envelope")
  return (await openEnvelope(envelope, { objectKey: key, readers: [kekOf(1)] })).dek
}

test("a DEK opens the one object it was made for", async () => {
  const { store } = await makeSite()
  for (const key of ["a", "b"]) await putSealed(store, key, plaintextOf(20_000))
  using dek = await dekOf(store, "a")
  expect(await collect(openStream(dek, slices(store.bytes("a"))))).toEqual(plaintextOf(20_000))
  await expect(collect(openStream(dek, slices(store.bytes("b"))))).rejects.toThrow(IntegrityError)
})

test("a KEK opens what is wrapped to it and nothing else", async () => {
  const site = await makeSite()
  await putSealed(site.store, "a", plaintextOf(100), { kek: kekOf(2) })
  await expect(
    downloadFile(site.context, { address: { bucket: "vault", key: "a" }, target: site.target }),
  ).rejects.toThrow(KeyMissingError)
  const leaked = { readers: [kekOf(2)], writers: [], [Symbol.dispose]: () => undefined }
  const { bytes } = await downloadFile(site.with({ keys: leaked }), {
    address: { bucket: "vault", key: "a" },
    target: site.target,
  })
  expect(bytes).toBe(100)
})

test("an unfinished download is nobody else's to read", async () => {
  const site = await makeSite()
  await putSealed(site.store, "a", plaintextOf(200_000))
  const error = new UnavailableError("cut", { transient: "network" })
  const store = faulty(site.store, { operation: "get", call: 4, moment: "before", error })
  const request = { address: { bucket: "vault", key: "a" }, target: site.target, windowBytes, concurrency: 1 }
  await expect(downloadFile(site.with({ store }), request)).rejects.toThrow("cut")
  const [temporary = "", ...others] = await readdir(dirname(site.target))
  expect(others).toEqual([])
  expect((await stat(`${dirname(site.target)}/${temporary}`)).mode & 0o777).toBe(0o600)
})
