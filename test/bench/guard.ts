/**
 * `npm run bench:guard`: fails when s3ep got costlier. It compares CPU seconds, not times, and with those of a bare
 * HTTP client that moves as many bytes on the same machine in the same minute: so it may run on a loaded one.
 */
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { makeDirectory, writeSparse } from "./files.ts"
import { hollowPlace, startHollow } from "./hollow/start.ts"
import { measure } from "./measure.ts"
import { homeOf, type Peer, type Place, type Work } from "./peer.ts"
import { bare } from "./peers/node.ts"
import { s3ep } from "./peers/s3ep.ts"
import { median } from "./results.ts"

const FILE_BYTES = 256 * 1024 ** 2
const RUNS = 3
/** What a ratio may be at most: 1.5 times the highest median of several runs (2.2 to 2.6, 1.6 to 1.8), rounded up. */
const LIMITS = { put: 4, get: 3 } as const

async function guard(): Promise<boolean> {
  const directory = await makeDirectory(undefined, 2 * FILE_BYTES)
  try {
    const place = await preparePlace(directory)
    using server = await startHollow(`${await homeOf(place, "s3ep")}/kek`)
    const hollow = hollowPlace(place, server.endpoint)
    const ratios = { put: [] as number[], get: [] as number[] }
    for (let run = 0; run < RUNS; run++) {
      for (const work of ["put", "get"] as const) {
        const ours = await cpuSeconds(s3ep, hollow, work)
        const least = await cpuSeconds(bare, hollow, work)
        ratios[work].push(ours / least)
        say(
          `${work}: s3ep ${ours.toFixed(3)} CPU s, bare client ${least.toFixed(3)}: ${(ours / least).toFixed(2)}`,
        )
      }
    }
    return [check("put", ratios.put), check("get", ratios.get)].every(Boolean)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function preparePlace(directory: string): Promise<Place> {
  const place: Place = {
    endpoint: "",
    plainEndpoint: "",
    region: "us-east-1",
    accessKeyId: "guard",
    secretAccessKey: "guard",
    authority: undefined,
    bucket: "",
    directory,
    file: join(directory, "file"),
    fileBytes: FILE_BYTES,
    tree: "",
    target: join(directory, "target"),
    targetTree: "",
  }
  await writeSparse(place.file, FILE_BYTES)
  await s3ep.setUp?.(place)
  return place
}

async function cpuSeconds(peer: Peer, place: Place, work: Work): Promise<number> {
  await peer.before?.(place, work)
  const cost = await measure(await peer.command(place, work))
  await peer.after?.(place, work)
  await rm(place.target, { force: true })
  return cost.cpuSeconds
}

function check(work: keyof typeof LIMITS, ratios: readonly number[]): boolean {
  const ratio = median(ratios)
  const limit = LIMITS[work]
  const verdict = ratio <= limit ? "as it should be" : "TOO COSTLY"
  say(`${work}: ${ratio.toFixed(2)} times the CPU seconds of the bare client, ${limit} at most: ${verdict}`)
  return ratio <= limit
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = (await guard()) ? 0 : 1
