import { chmod, mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { concat } from "../../../src/bytes.ts"
import {
  IntegrityError,
  KeyMissingError,
  LocalIoError,
  PreconditionError,
  UsageError,
} from "../../../src/errors.ts"
import { decryptFile, decryptStream, encryptFile, encryptStream } from "../../../src/transfer/local.ts"
import { collect, kekOf, makeSite, plaintextOf, type Site } from "./download-fixture.ts"

async function* slices(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}

async function encrypted(site: Site, bytes: number): Promise<Uint8Array> {
  return collect(encryptStream(site.context, slices(plaintextOf(bytes)), { chunkBytes: 4096 }))
}

async function decrypted(site: Site, container: Uint8Array): Promise<Uint8Array> {
  return collect(decryptStream(site.context, slices(container)))
}

test.each([0, 1, 4095, 4096, 4097, 100_000])("a stream of %i bytes comes back", async (bytes) => {
  const site = await makeSite()
  expect(await decrypted(site, await encrypted(site, bytes))).toEqual(plaintextOf(bytes))
})

test("any flipped bit and any cut is refused", async () => {
  const site = await makeSite()
  const container = await encrypted(site, 20_000)
  await fc.assert(
    fc.asyncProperty(fc.nat(container.length - 1), fc.nat(7), async (at, bit) => {
      const flipped = Uint8Array.from(container)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
      // A KEK's name that was altered is nobody's: then no key at hand opens it.
      await expect(decrypted(site, flipped)).rejects.toSatisfy(
        (error) => error instanceof IntegrityError || error instanceof KeyMissingError,
      )
      await expect(decrypted(site, container.subarray(0, at))).rejects.toThrow(IntegrityError)
    }),
    { numRuns: 60 },
  )
})

test("what is no container is refused as that", async () => {
  const site = await makeSite()
  for (const bytes of [0, 3, 500]) {
    await expect(decrypted(site, plaintextOf(bytes))).rejects.toThrow(
      "it does not begin with the header of an s3ep file",
    )
  }
})

test("the area's padding holds nothing, and its length is bounded", async () => {
  const site = await makeSite()
  const container = await encrypted(site, 10)
  const areaBytes = new DataView(container.buffer).getUint32(8, true)
  const padded = Uint8Array.from(container)
  padded[16 + areaBytes - 1] = 1
  await expect(decrypted(site, padded)).rejects.toThrow("zeros should follow")
  const huge = Uint8Array.from(container)
  new DataView(huge.buffer).setUint32(8, 0xffff_ffff, true)
  await expect(decrypted(site, huge)).rejects.toThrow(IntegrityError)
})

test("without the key it says which would open it", async () => {
  const site = await makeSite()
  const container = await encrypted(site, 10)
  const other = kekOf(7)
  const keys = { readers: [other], writers: [other], [Symbol.dispose]: () => other[Symbol.dispose]() }
  await expect(collect(decryptStream(site.with({ keys }), slices(container)))).rejects.toThrow(
    KeyMissingError,
  )
})

describe("files", () => {
  const MTIME = 1_600_000_000

  async function makeFile(site: Site, bytes: number): Promise<string> {
    const path = join(site.directory, "plain.bin")
    await writeFile(path, plaintextOf(bytes))
    await chmod(path, 0o640)
    await utimes(path, MTIME, MTIME)
    return path
  }

  test.each([0, 10, 2_500_000])("of %i bytes come back with mode and time", async (bytes) => {
    const site = await makeSite()
    const source = await makeFile(site, bytes)
    const sealed = join(site.targets, "sealed")
    expect(await encryptFile(site.context, { source, target: sealed })).toEqual({ target: sealed, bytes })
    expect(await decryptFile(site.context, { source: sealed, target: site.target })).toMatchObject({
      target: site.target,
      bytes,
      format: { id: "agcm2" },
    })
    expect(new Uint8Array(await readFile(site.target))).toEqual(plaintextOf(bytes))
    const found = await stat(site.target)
    expect([found.mode & 0o777, found.mtimeMs]).toEqual([0o640, MTIME * 1000])
    expect((await readdir(site.targets)).sort()).toEqual(["file", "sealed"])
  })

  test("get and lose their suffix in a directory", async () => {
    const site = await makeSite()
    const source = await makeFile(site, 10)
    const { target } = await encryptFile(site.context, { source, target: site.targets })
    expect(target).toBe(join(site.targets, "plain.bin.s3ep"))
    await decryptFile(site.context, { source: target, target: site.targets })
    expect((await readdir(site.targets)).sort()).toEqual(["plain.bin", "plain.bin.s3ep"])
    await writeFile(join(site.directory, "other"), await readFile(target))
    await expect(
      decryptFile(site.context, { source: join(site.directory, "other"), target: site.targets }),
    ).rejects.toThrow(UsageError)
  })

  test("can be encrypted in place", async () => {
    const site = await makeSite()
    const source = await makeFile(site, 10)
    await encryptFile(site.context, { source, target: source })
    expect((await readFile(source, "latin1")).slice(0, 4)).toBe("S3EP")
  })

  test("that were altered leave no trace, and are named", async () => {
    const site = await makeSite()
    const source = join(site.directory, "sealed")
    const container = await encrypted(site, 2_000_000)
    container.fill(0, container.length - 40)
    await writeFile(source, container)
    await expect(decryptFile(site.context, { source, target: site.target })).rejects.toThrow(
      `cannot open ${source}: `,
    )
    expect(await readdir(site.targets)).toEqual([])
  })

  test("that are there are replaced only if they may be", async () => {
    const site = await makeSite()
    const source = await makeFile(site, 10)
    await writeFile(site.target, "mine")
    await expect(
      encryptFile(site.context, { source, target: site.target, overwrite: false }),
    ).rejects.toThrow(PreconditionError)
    expect(await readFile(site.target, "utf8")).toBe("mine")
    await encryptFile(site.context, { source, target: site.target })
    expect(await readFile(site.target, "utf8")).not.toBe("mine")
  })

  test("that are missing, directories or devices", async () => {
    const site = await makeSite()
    const missing = join(site.directory, "missing")
    await mkdir(join(site.directory, "d"))
    await expect(encryptFile(site.context, { source: missing, target: site.target })).rejects.toThrow(
      LocalIoError,
    )
    await expect(decryptFile(site.context, { source: missing, target: site.target })).rejects.toThrow(
      LocalIoError,
    )
    const directory = { source: join(site.directory, "d"), target: site.target }
    await expect(encryptFile(site.context, directory)).rejects.toThrow(UsageError)
    await expect(decryptFile(site.context, directory)).rejects.toThrow(UsageError)
    expect(await encryptFile(site.context, { source: "/dev/null", target: site.target })).toMatchObject({
      bytes: 0,
    })
    expect(await decryptFile(site.context, { source: site.target, target: "/dev/null" })).toMatchObject({
      target: "/dev/null",
      bytes: 0,
    })
  })

  test.skipIf(process.platform !== "linux")("that no longer fit fail with the disk's reason", async () => {
    const site = await makeSite()
    const source = await makeFile(site, 10)
    const full = encryptFile(site.context, { source, target: "/dev/full" })
    await expect(full).rejects.toThrow(LocalIoError)
    await expect(full).rejects.toThrow("no space left")
  })
})

test("slicing never matters to what is decrypted", async () => {
  const site = await makeSite()
  const container = concat(await encrypted(site, 9000))
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5000 }), async (size) => {
      expect(await collect(decryptStream(site.context, slices(container, size)))).toEqual(plaintextOf(9000))
    }),
    { numRuns: 30 },
  )
})
