import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdir, mkdtemp, open, rm, statfs, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)
const TREE_FILE_BYTES = 4096
const FILES_PER_DIRECTORY = 100
/** Where files are kept in memory, on systems that have it. */
export const MEMORY = "/dev/shm"

/** A new directory, in memory if that has so much room: what is measured is the tools and not a disk. */
export async function makeDirectory(wished: string | undefined, roomBytes: number): Promise<string> {
  const parent = wished ?? ((await freeBytes(MEMORY)) >= roomBytes ? MEMORY : tmpdir())
  return mkdtemp(join(parent, "s3ep-bench-"))
}

/** 0 if there is no such directory. */
export async function freeBytes(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  } catch {
    return 0
  }
}

/** Random files of 4 KiB, a hundred to a directory. */
export async function writeTree(directory: string, files: number): Promise<void> {
  for (let file = 0; file < files; file++) {
    const parent = join(directory, `directory-${Math.floor(file / FILES_PER_DIRECTORY)}`)
    if (file % FILES_PER_DIRECTORY === 0) await mkdir(parent, { recursive: true })
    await writeFile(join(parent, `file-${file}`), randomBytes(TREE_FILE_BYTES))
  }
}

/** A file that is one hole. */
export async function writeSparse(path: string, bytes: number): Promise<void> {
  const file = await open(path, "w")
  await file.truncate(bytes)
  await file.close()
}

const PIECE_BYTES = 8 * 1024 ** 2

/**
 * Take memory from the system and give it back, so that it is at hand for whoever comes next. A virtual machine lends its
 * free memory to its host, and a page that has to come back from there can take as long as twenty others: whoever
 * came first after a pause would pay for it.
 */
export async function useMemory(directory: string, bytes: number): Promise<void> {
  const path = join(directory, "memory")
  const file = await open(path, "w")
  const piece = new Uint8Array(PIECE_BYTES)
  for (let written = 0; written < bytes; written += PIECE_BYTES) await file.write(piece)
  await file.close()
  await rm(path)
}

/** @throws {Error} if two files or trees differ. */
export async function expectSame(one: string, other: string): Promise<void> {
  await run("diff", ["-r", one, other])
}
