import { existsSync } from "node:fs"
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fromBase64 } from "../../../src/bytes.ts"
import { readVersion } from "../../../src/cli/version.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { fromUserMetadata } from "../../../src/envelope/metadata.ts"
import { DeniedError, UnavailableError } from "../../../src/errors.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import { downloadFile } from "../../../src/transfer/download.ts"
import { faulty } from "../faults.ts"
import { MemoryStore } from "../memory-store.ts"
import { type Home, type Run, runCli } from "../run-cli.ts"
import {
  type Golden,
  type GoldenFile,
  goldenDirectory,
  goldenPlaintext,
  PASSPHRASE,
  sha256Of,
  UNFINISHED_BYTES,
  UNFINISHED_KEY,
  WINDOW_BYTES,
} from "./scenarios.ts"

// Writes what this version writes: `tsx test/support/golden/write.ts`. What is there already is never written again.

const version = readVersion()
const directory = join(goldenDirectory, version)
if (existsSync(directory)) {
  throw new Error(
    `there are golden files of ${version} already: they stay as they are. Raise the version for new ones`,
  )
}
// Journals name files, so the place has to be one that says nothing about the machine.
const place = "/tmp/s3ep-golden"
await rm(place, { recursive: true, force: true })
await mkdir(place, { mode: 0o700 })
const home: Home = {
  directory: place,
  path: (name) => join(place, name),
  [Symbol.asyncDispose]: () => rm(place, { recursive: true, force: true }),
}
await using _home = home
const store = new MemoryStore({ limits: { minPartBytes: 4096 } })
const fresh = join(place, "golden")
for (const name of ["objects", "containers", "journals", "parts"])
  await mkdir(join(fresh, name), { recursive: true })
await writeFile(home.path("passphrase"), PASSPHRASE, { mode: 0o600 })

async function run(argv: readonly string[], instead = store): Promise<Run> {
  return runCli([...argv, "--no-progress"], { home, store: instead, delay: async () => undefined })
}
async function succeed(argv: readonly string[]): Promise<Run> {
  const result = await run(argv)
  if (result.status !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr}`)
  return result
}

const KINDS = [
  ["default", "aes"],
  ["archive", "rsa"],
  ["backup", "age"],
  ["quantum", "age-pq"],
] as const
for (const [name, kind] of KINDS) await succeed(["keys", "generate", name, "--kind", kind])
await succeed([
  "keys",
  "generate",
  "protected",
  "--protect",
  "--key-passphrase-file",
  home.path("passphrase"),
])
const keys = (await succeed(["keys", "list", "--json"])).lines
  .filter(({ type }) => type === "key")
  .map(({ name, id, kind }) => ({ name: String(name), id: String(id), kind: String(kind) }))
await cp(home.path("config/s3ep/keys"), join(fresh, "keys"), { recursive: true })

const objects: GoldenFile[] = []
async function putObject(
  why: string,
  key: string,
  bytes: number,
  options: readonly string[],
  reading: readonly string[] = [],
): Promise<void> {
  await writeFile(home.path("source"), goldenPlaintext(bytes), { mode: 0o640 })
  await succeed(["put", home.path("source"), `s3://vault/${key}`, "--chunk-size", "4KiB", ...options])
  const file = `${objects.length}.bin`
  await writeFile(join(fresh, "objects", file), store.bytes(key))
  const { metadata } = store.settings(key)
  objects.push({
    why,
    key,
    file,
    metadata,
    plaintextBytes: bytes,
    plaintextSha256: sha256Of(goldenPlaintext(bytes)),
    with: reading,
  })
}
const parts = ["--part-size", "16KiB"]
const passphrase = ["--passphrase-file", "passphrase"]
const protectedKey = ["--kek", "protected", "--key-passphrase-file", "passphrase"]
await putObject("nothing", "empty", 0, [])
await putObject("one chunk", "one-chunk", 100, [])
await putObject("one segment of full chunks", "one-segment", 16_384, parts)
await putObject("segments and a rest", "segments.bin", 50_001, parts)
await putObject("a key that nobody would choose", "odd key/ü + %20/🙂", 10, [])
await putObject("to an RSA key", "rsa", 10, ["--kek", "archive"])
await putObject("to an age key", "age", 10, ["--kek", "backup"])
await putObject("to a passphrase", "passphrase", 10, passphrase, passphrase)
await putObject("to a key under a passphrase", "protected", 10, protectedKey, [
  "--key-passphrase-file",
  "passphrase",
])
await putObject("to two keys", "two", 10, ["--kek", "default", "--kek", "backup"])
await putObject("metadata of its own", "metadata", 10, [
  "--metadata",
  "colour=blue",
  "--content-type",
  "text/plain",
])
await succeed(["keyring", "init", "s3://vault/ringed/", "--yes"])
await putObject("to a keyring", "ringed/object", 10, [])
{
  const key = "ringed/.s3ep/keyring.json"
  const bytes = store.bytes(key)
  await writeFile(join(fresh, "keyring.json"), bytes)
}

const containers: GoldenFile[] = []
for (const [why, bytes, options, reading] of [
  ["a file", 50_001, [], []],
  ["an empty file", 0, [], []],
  ["to a passphrase", 10, passphrase, passphrase],
] as const) {
  const file = `${containers.length}.s3ep`
  await writeFile(home.path("source"), goldenPlaintext(bytes))
  await succeed(["encrypt", home.path("source"), join(fresh, "containers", file), ...options])
  containers.push({
    why,
    key: "",
    file,
    plaintextBytes: bytes,
    plaintextSha256: sha256Of(goldenPlaintext(bytes)),
    with: reading,
  })
}

await writeFile(home.path(UNFINISHED_KEY), goldenPlaintext(UNFINISHED_BYTES))
const stopped = new DeniedError("stopped")
const failing = faulty(store, { operation: "uploadPart", call: 6, moment: "before", error: stopped })
const put = [
  "put",
  home.path(UNFINISHED_KEY),
  `s3://vault/${UNFINISHED_KEY}`,
  "--chunk-size",
  "4KiB",
  ...parts,
]
await runCli([...put, "--no-progress", "--concurrency", "2"], { home, store: failing })
const [[uploadId, unfinished] = []] = store.uploads
if (uploadId === undefined || !unfinished) throw new Error("the upload ended")
const sent: { part: number; file: string }[] = []
for (const [part, { data }] of unfinished.parts) {
  await writeFile(join(fresh, "parts", `${part}.bin`), data)
  sent.push({ part, file: `${part}.bin` })
}
const [uploadJournal = ""] = (await readdir(home.path("state/s3ep/uploads"))).filter((name) =>
  name.endsWith(".jsonl"),
)
await cp(home.path(`state/s3ep/uploads/${uploadJournal}`), join(fresh, "journals", "upload.jsonl"))

const raw = fromBase64(
  (await readFile(home.path("config/s3ep/keys/default.key"), "utf8")).trim().split("\n").at(-1) ?? "",
)
if (!raw) throw new Error("the key file has another form now")
const kek = aesKek(new SecretBytes(raw), "default")
const cut = new UnavailableError("stopped", { transient: "network" })
await downloadFile(
  {
    store: faulty(store, { operation: "get", call: 3, moment: "before", error: cut }),
    keys: { readers: [kek], writers: [kek], [Symbol.dispose]: () => undefined },
    random: systemRandom,
    clock: { now: () => 0, delay: async () => undefined },
    stateDirectory: home.path("state/s3ep"),
    onProgress: () => undefined,
    signal: new AbortController().signal,
  },
  {
    address: { bucket: "vault", key: "segments.bin" },
    target: home.path("segments.bin"),
    windowBytes: WINDOW_BYTES,
    concurrency: 1,
  },
).catch((error: unknown) => {
  if (!String(error).includes("stopped")) throw error
})
const [downloadJournal = ""] = (await readdir(home.path("state/s3ep/downloads"))).filter((name) =>
  name.endsWith(".jsonl"),
)
const [first = "", ...windows] = (
  await readFile(home.path(`state/s3ep/downloads/${downloadJournal}`), "utf8")
).split("\n")
await cp(home.path(`state/s3ep/downloads/${downloadJournal}`), join(fresh, "journals", "download.jsonl"))
const { temporary }: { temporary: { path: string } } = JSON.parse(first)
await cp(temporary.path, join(fresh, "journals", "download.part"))

const envelopes = objects.flatMap(({ key, metadata }) => {
  const envelope = fromUserMetadata(metadata ?? {})
  return envelope ? [{ key, recipients: envelope.recipients }] : []
})
const golden: Golden = {
  version,
  objects,
  containers,
  keys,
  envelopes,
  upload: { uploadId, parts: sent },
  download: { temporary: "download.part", windows: windows.filter((line) => line !== "").length },
}
await writeFile(join(fresh, "golden.json"), `${JSON.stringify(golden, null, 1)}\n`)
await mkdir(goldenDirectory, { recursive: true })
await cp(fresh, `${directory}.new`, { recursive: true })
await rename(`${directory}.new`, directory)
