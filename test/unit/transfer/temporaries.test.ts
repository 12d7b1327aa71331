import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { systemRandom } from "../../../src/keys/random.ts"
import { isTemporaryPath, temporaryPath } from "../../../src/transfer/replace.ts"
import { recordTemporary, sweepTemporaries } from "../../../src/transfer/temporaries.ts"

let root: string
let stateDirectory: string
let records: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "s3ep-temporaries-"))
  stateDirectory = join(root, "state")
  records = join(stateDirectory, "temporaries")
})

afterEach(() => rm(root, { recursive: true }))

const nobodyAlive = { pid: 1, host: "here", boot: null, startOf: () => null }

/** A record and its file, as a run that was killed leaves them. */
async function leave(path: string, host = "here"): Promise<void> {
  await mkdir(records, { recursive: true })
  await writeFile(path, "half")
  const nonce = Buffer.from(systemRandom(8)).toString("hex")
  const record = { pid: 4242, started: "1", host, boot: null, nonce, path }
  await writeFile(join(records, `${nonce}.json`), JSON.stringify(record))
}

describe("a temporary file on record", () => {
  test("is removed when its process is dead, and the record with it", async () => {
    const path = temporaryPath(join(root, "file"), systemRandom)
    await leave(path)
    await sweepTemporaries({ stateDirectory }, nobodyAlive)
    await expect(stat(path)).rejects.toThrow("ENOENT")
    expect(await readdir(records)).toEqual([])
  })

  test("stays while its process lives, and on another host nobody can say", async () => {
    const ours = temporaryPath(join(root, "ours"), systemRandom)
    const theirs = temporaryPath(join(root, "theirs"), systemRandom)
    await writeFile(ours, "half")
    await using _ = await recordTemporary({ stateDirectory, random: systemRandom }, ours)
    await leave(theirs, "elsewhere")
    await sweepTemporaries({ stateDirectory })
    expect((await stat(ours)).isFile()).toBe(true)
    expect((await stat(theirs)).isFile()).toBe(true)
    expect(await readdir(records)).toHaveLength(2)
  })

  test("is off it once that is disposed of", async () => {
    const path = temporaryPath(join(root, "file"), systemRandom)
    const record = await recordTemporary({ stateDirectory, random: systemRandom }, path)
    expect((await stat(join(records, (await readdir(records)).join()))).mode & 0o777).toBe(0o600)
    await record[Symbol.asyncDispose]()
    expect(await readdir(records)).toEqual([])
  })

  test("is not what another name, a link or a directory under the name says it is", async () => {
    const named = join(root, "precious")
    await leave(named)
    const linked = temporaryPath(join(root, "link"), systemRandom)
    await leave(linked)
    await rm(linked)
    await symlink(named, linked)
    const directory = temporaryPath(join(root, "directory"), systemRandom)
    await leave(directory)
    await rm(directory)
    await mkdir(directory)
    await sweepTemporaries({ stateDirectory }, nobodyAlive)
    for (const path of [named, linked, directory]) expect(await stat(path)).toBeDefined()
  })

  test("whose record was cut was never made", async () => {
    await mkdir(records, { recursive: true })
    await writeFile(join(records, "0123456789abcdef.json"), '{"pid":42')
    await sweepTemporaries({ stateDirectory }, nobodyAlive)
    expect(await readdir(records)).toEqual([])
  })
})

test.each(["file", "a.part", "ü".repeat(127), "x".repeat(255)])(
  "a temporary name for %s is told from others",
  (name) => {
    const path = temporaryPath(join(root, name), systemRandom)
    expect(isTemporaryPath(path)).toBe(true)
    expect(isTemporaryPath(join(root, name))).toBe(false)
    expect(isTemporaryPath(`${path}.txt`)).toBe(false)
  },
)
