import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { removeStateFile, writeStateFile } from "../../../src/files/state-file.ts"

test("what a crash has left of a write goes before the file does, so that no crash leaves it alone", async () => {
  const directory = await mkdtemp(join(tmpdir(), "s3ep-state-"))
  try {
    const path = join(directory, "record")
    await mkdir(path) // cannot be removed as a file: as far as a crash at this moment would come
    await writeFile(`${path}.new`, "cut")
    await expect(removeStateFile(path)).rejects.toThrow()
    expect(await readdir(directory)).toEqual(["record"])
    await rm(path, { recursive: true })
    await writeStateFile(path, "whole")
    await removeStateFile(path)
    expect(await readdir(directory)).toEqual([])
  } finally {
    await rm(directory, { recursive: true })
  }
})
