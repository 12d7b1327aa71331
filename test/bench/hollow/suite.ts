import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freeBytes, MEMORY, useMemory, writeSparse } from "../files.ts"
import { measure } from "../measure.ts"
import type { Options } from "../options.ts"
import { homeOf, type Place } from "../peer.ts"
import { s3epCommand } from "../peers/s3ep.ts"
import type { Recorder } from "../results.ts"
import { hollowPlace, startHollow } from "./start.ts"

const GIB = 1024 ** 3
// Beyond the file itself: what else the disk, or the memory, is used for meanwhile.
const SPARE_BYTES = 4 * GIB

/** Whether the cost grows with the size and with nothing else. */
export async function measureSizes(place: Place, options: Options, recorder: Recorder): Promise<void> {
  const sizes = [options.fileBytes, options.largeBytes]
  await measureZeros(place, sizes, options.runs, recorder)
}

/** A file larger than memory, for what it takes of that. */
export async function measureSparse(place: Place, options: Options, recorder: Recorder): Promise<void> {
  await measureZeros(place, [options.sparseBytes], 1, recorder)
}

/**
 * Sparse files up to a hollow server, and down from it: into memory where the largest of them fits, and else to the disk.
 * Verified as well, which is all of a download but the file: what the system takes for that may grow faster than it.
 */
async function measureZeros(place: Place, sizes: readonly number[], runs: number, recorder: Recorder) {
  using server = await startHollow(`${await homeOf(place, "s3ep")}/kek`)
  const hollow = hollowPlace(place, server.endpoint)
  const directory = (await memoryFor(Math.max(...sizes))) ? MEMORY : tmpdir()
  const target = join(directory, `s3ep-bench-${process.pid}.target`)
  try {
    for (let run = 0; run < runs; run++) {
      for (const bytes of sizes) {
        const file = join(place.directory, `sparse-${bytes}`)
        await writeSparse(file, bytes)
        const object = `s3://${hollow.bucket}/sparse-${bytes}`
        const put = await measure(await s3epCommand(hollow, ["put", "-q", file, object]))
        recorder.add(rowOf("put", bytes), put)
        const verify = await measure(await s3epCommand(hollow, ["verify", "-q", object]))
        recorder.add(rowOf("verify", bytes), verify)
        if ((await freeBytes(directory)) < bytes + SPARE_BYTES) {
          recorder.leave(`get of ${sizeOf(bytes)}: no room for it in ${directory}`)
          continue
        }
        if (directory === MEMORY) await useMemory(directory, bytes)
        const get = await measure(await s3epCommand(hollow, ["get", "-q", object, target]))
        recorder.add(rowOf("get", bytes), get)
        await rm(target)
      }
    }
  } finally {
    await rm(target, { force: true })
  }
}

async function memoryFor(bytes: number): Promise<boolean> {
  return Math.min(await freeBytes(MEMORY), process.availableMemory()) >= bytes + SPARE_BYTES
}

function rowOf(work: string, bytes: number) {
  const name = `${work} ${sizeOf(bytes)} sparse`
  return { transport: "http", work: name, peer: "s3ep", encrypts: true, bytes } as const
}

export function sizeOf(bytes: number): string {
  return bytes % GIB === 0 ? `${bytes / GIB} GiB` : `${(bytes / 1024 ** 2).toFixed(0)} MiB`
}
