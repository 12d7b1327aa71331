import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises"
import { hostname, tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { LocalIoError } from "../../../src/errors.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import { ownersPath } from "../../../src/transfer/lock.ts"
import {
  isTemporaryPath,
  type ReplacementFile,
  temporaryPath,
  temporaryPathIn,
} from "../../../src/transfer/replace.ts"
import { sweepTemporaries, TemporaryFiles } from "../../../src/transfer/temporaries.ts"

let root: string
let stateDirectory: string
let records: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "s3ep-temporaries-"))
  stateDirectory = join(root, "state")
  records = join(stateDirectory, "temporaries")
})

afterEach(() => rm(root, { recursive: true }))

const temporaryFiles = () => new TemporaryFiles({ stateDirectory, random: systemRandom })

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
    const theirs = temporaryPath(join(root, "theirs"), systemRandom)
    await leave(theirs, "elsewhere")
    await using files = temporaryFiles()
    await files.replace(join(root, "ours"), async (file) => {
      await sweepTemporaries({ stateDirectory })
      expect((await stat(file.path)).isFile()).toBe(true)
      expect((await stat(theirs)).isFile()).toBe(true)
      expect(await readdir(records)).toHaveLength(2)
      await file.finish({ overwrite: true })
    })
  })

  test("that nobody has written to yet is the living one's that its name tells", async () => {
    await mkdir(records, { recursive: true })
    const owner = { pid: process.pid, started: null, host: hostname(), boot: null, nonce: "0123456789abcdef" }
    const alive = ownersPath(join(records, "record"), owner)
    await writeFile(alive, "")
    await writeFile(ownersPath(join(records, "record"), { ...owner, pid: 2 ** 30 }), "")
    await sweepTemporaries({ stateDirectory })
    expect(await readdir(records)).toEqual([basename(alive)])
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

  test.each([
    '{"pid":42',
    '{"pid":42,"host":"here","nonce":"0123456789abcdef"}',
    '{"pid":42,"host":"here","nonce":"0123456789abcdef"}\n{"path":"/tm',
  ])("whose record was cut was never made (%j)", async (text) => {
    await mkdir(records, { recursive: true })
    await writeFile(join(records, "0123456789abcdef.json"), text)
    await sweepTemporaries({ stateDirectory }, nobodyAlive)
    expect(await readdir(records)).toEqual([])
  })
})

describe("a record", () => {
  const finished = (file: ReplacementFile) => file.finish({ overwrite: true })
  const theRecord = async () => join(records, (await readdir(records)).join())

  test("is written over for the next file, and gone with the last one", async () => {
    const files = temporaryFiles()
    const seen: string[] = []
    const names = ["x".repeat(200), "y", "z\n".repeat(20), "ü"]
    for (const name of names) {
      await files.replace(join(root, name), async (file) => {
        const record = await theRecord()
        expect((await stat(record)).mode & 0o777).toBe(0o600)
        seen.push(record)
        await expectSweptAfterKill(file)
        await finished(file)
      })
    }
    expect(new Set(seen).size).toBe(1)
    expect((await readdir(root)).sort()).toEqual([...names, "state"].sort())
    await files[Symbol.asyncDispose]()
    expect(await readdir(records)).toEqual([])
  })

  test("stays as it is for files of one directory, which have its name one after the other", async () => {
    await using files = temporaryFiles()
    await mkdir(join(root, "other"))
    const paths: string[] = []
    const texts: string[] = []
    for (const name of ["a", "b", "other/c", "d"]) {
      await files.replace(join(root, name), async (file) => {
        paths.push(file.path)
        texts.push(await readFile(await theRecord(), "utf8"))
        await expectSweptAfterKill(file)
        await finished(file)
      })
    }
    expect([paths[0], texts[0]]).toEqual([paths[1], texts[1]])
    expect(new Set(paths).size).toBe(3)
    expect(paths.map(dirname)).toEqual([root, root, join(root, "other"), root])
    for (const [at, text] of texts.entries()) expect(text).toContain(JSON.stringify(paths[at]))
  })

  test("is written anew where somebody has taken the name", async () => {
    await using files = temporaryFiles()
    let taken = ""
    await files.replace(join(root, "a"), async (file) => {
      taken = file.path
      await finished(file)
    })
    await writeFile(taken, "somebody else's")
    await files.replace(join(root, "b"), async (file) => {
      expect(file.path).not.toBe(taken)
      await expectSweptAfterKill(file)
      await finished(file)
    })
    expect(await readFile(taken, "utf8")).toBe("somebody else's")
  })

  test("is of one file, of several at once", async () => {
    await using files = temporaryFiles()
    await files.replace(join(root, "a"), async (a) => {
      await files.replace(join(root, "b"), async (b) => {
        expect(await readdir(records)).toHaveLength(2)
        await expectSweptAfterKill(a, b)
        await finished(b)
      })
      await finished(a)
    })
    await files.replace(join(root, "c"), finished)
    expect(await readdir(records)).toHaveLength(2)
  })

  test("is free again once a failure removed its file", async () => {
    await using files = temporaryFiles()
    const failing = files.replace(join(root, "a"), () => Promise.reject(new RangeError("of the work")))
    await expect(failing).rejects.toThrow("of the work")
    expect(await readdir(root)).toEqual(["state"])
    await files.replace(join(root, "nowhere/b"), finished).catch(() => undefined)
    await files.replace(join(root, "c"), finished)
    expect(await readdir(records)).toHaveLength(1)
  })

  test.runIf(process.platform !== "win32")("of a file that cannot be removed is kept", async () => {
    const files = temporaryFiles()
    let path = ""
    const stuck = files.replace(join(root, "a"), async (file) => {
      path = file.path
      // Whatever is under its name now cannot be unlinked, not even by root.
      await rm(path)
      await mkdir(path)
      throw new RangeError("of the work")
    })
    await expect(stuck).rejects.toThrow("of the work")
    await files.replace(join(root, "b"), finished)
    await files[Symbol.asyncDispose]()
    expect(await readFile(await theRecord(), "utf8")).toContain(path)
  })

  test("is gone before something else knows of the file alone", async () => {
    await using files = temporaryFiles()
    const path = await files.handOver(join(root, "a"), async (file) => {
      await file.close()
      return file.path
    })
    expect(await readdir(records)).toEqual([])
    expect((await stat(path)).isFile()).toBe(true)
  })

  test("that cannot be written is a failure, and no file is made", async () => {
    await mkdir(dirname(records), { recursive: true })
    await writeFile(records, "no directory")
    await using files = temporaryFiles()
    await expect(files.replace(join(root, "a"), finished)).rejects.toThrow(LocalIoError)
    expect(await readdir(root)).toEqual(["state"])
  })

  /** What a run would find that comes after a kill at this moment, seen in a copy of the state directory. */
  async function expectSweptAfterKill(...files: readonly ReplacementFile[]): Promise<void> {
    const killed = join(root, "killed")
    await cp(stateDirectory, killed, { recursive: true })
    for (const name of await readdir(records)) {
      const record = join(killed, "temporaries", name)
      await writeFile(record, (await readFile(record, "utf8")).replace(/"host":"[^"]*"/, '"host":"here"'))
    }
    const kept = await Promise.all(files.map(async ({ path }) => [path, await readFile(path)] as const))
    await sweepTemporaries({ stateDirectory: killed }, nobodyAlive)
    for (const [path, content] of kept) {
      await expect(stat(path)).rejects.toThrow("ENOENT")
      await writeFile(path, content)
    }
    expect(await readdir(join(killed, "temporaries"))).toEqual([])
    await rm(killed, { recursive: true })
  }
})

test.each(["file", "a.part", "ü".repeat(127), "x".repeat(255)])(
  "a temporary name for %s is told from others",
  (name) => {
    const path = temporaryPath(join(root, name), systemRandom)
    expect(isTemporaryPath(path)).toBe(true)
    expect(isTemporaryPath(join(root, name))).toBe(false)
    expect(isTemporaryPath(`${path}.txt`)).toBe(false)
    expect(isTemporaryPath(temporaryPathIn(root, systemRandom))).toBe(true)
  },
)
