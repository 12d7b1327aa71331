import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freeBytes, writeSparse } from "../files.ts"
import { measure } from "../measure.ts"
import type { Options } from "../options.ts"
import { homeOf, type Place } from "../peer.ts"
import { s3epCommand } from "../peers/s3ep.ts"
import type { Recorder } from "../results.ts"
import { hollowPlace, startHollow } from "./start.ts"

const GIB = 1024 ** 3
// Beyond the file itself: what else the disk is used for meanwhile.
const SPARE_BYTES = 2 * GIB

/** Whether the cost grows with the size and with nothing else. */
export async function measureSizes(place: Place, options: Options, recorder: Recorder): Promise<void> {
  const sizes = [options.fileBytes, options.largeBytes]
  await measureZeros(place, sizes, options.runs, recorder)
}

/** A file larger than memory, for what it takes of that. */
export async function measureSparse(place: Place, options: Options, recorder: Recorder): Promise<void> {
  await measureZeros(place, [options.sparseBytes], 1, recorder)
}

/** Sparse files up to a hollow server, and down from it to the disk: they may be larger than memory. */
async function measureZeros(place: Place, sizes: readonly number[], runs: number, recorder: Recorder) {
  using server = await startHollow(`${await homeOf(place, "s3ep")}/kek`)
  const hollow = hollowPlace(place, server.endpoint)
  const target = join(tmpdir(), `s3ep-bench-${process.pid}.target`)
  try {
    for (let run = 0; run < runs; run++) {
      for (const bytes of sizes) {
        const file = join(place.directory, `sparse-${bytes}`)
        await writeSparse(file, bytes)
        const object = `s3://${hollow.bucket}/sparse-${bytes}`
        const put = await measure(await s3epCommand(hollow, ["put", "-q", file, object]))
        recorder.add(rowOf("put", bytes), put)
        if ((await freeBytes(tmpdir())) < bytes + SPARE_BYTES) {
          recorder.leave(`get of ${sizeOf(bytes)}: no room for it in the directory for temporary files`)
          continue
        }
        const get = await measure(await s3epCommand(hollow, ["get", "-q", object, target]))
        recorder.add(rowOf("get", bytes), get)
        await rm(target)
      }
    }
  } finally {
    await rm(target, { force: true })
  }
}

function rowOf(work: string, bytes: number) {
  const name = `${work} ${sizeOf(bytes)} sparse`
  return { transport: "http", work: name, peer: "s3ep", encrypts: true, bytes } as const
}

export function sizeOf(bytes: number): string {
  return bytes % GIB === 0 ? `${bytes / GIB} GiB` : `${(bytes / 1024 ** 2).toFixed(0)} MiB`
}
