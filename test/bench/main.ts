/** `npm run bench`: s3ep and its peers on one machine against one server. See `--help`. */

import { randomBytes } from "node:crypto"
import { mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { writeRandomFile } from "../support/program.ts"
import { drawChart } from "./chart.ts"
import { makeDirectory, writeTree } from "./files.ts"
import { measureSizes, measureSparse } from "./hollow/suite.ts"
import { clientFor, createBucket, removeBucket } from "./objects.ts"
import { machine, type Options, parseOptions } from "./options.ts"
import type { Place, Work } from "./peer.ts"
import { findPeers, isAsked } from "./peers/index.ts"
import { fullReport, summary, updateSection } from "./report.ts"
import { Recorder, type Results } from "./results.ts"
import { type Leg, runRounds } from "./rounds.ts"
import { openServer, type Server } from "./server.ts"
import { measureStart } from "./start.ts"

async function bench(options: Options): Promise<void> {
  const startedAt = new Date().toISOString()
  const directory = await makeDirectory(options.directory, 4 * options.fileBytes)
  try {
    await using server = await openServer(directory, options.line)
    const recorder = new Recorder()
    const { found, missing } = findPeers(options.peers)
    for (const name of missing) recorder.leave(name)
    const results = (): Results => ({
      startedAt,
      command: commandLine(process.argv.slice(2)),
      machine: machine(),
      server: server.description,
      files: directory.startsWith("/dev/shm/") ? "in memory" : "on disk, in the page cache",
      versions: Object.fromEntries(found.map(({ peer, version }) => [peer.name, version])),
      settings: Object.fromEntries(found.map(({ peer }) => [peer.name, peer.settings])),
      rows: recorder.rows,
      left: recorder.left,
    })
    // After each round: an hour of measuring is not lost with its last minute.
    const save = () => writeResults(options, results())
    const peers = found.map(({ peer }) => peer)
    await measureAll(options, directory, server, recorder, peers, save)
    process.stdout.write(fullReport(results()))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function measureAll(
  options: Options,
  directory: string,
  server: Server,
  recorder: Recorder,
  peers: Leg["peers"],
  save: () => Promise<void>,
): Promise<void> {
  const { only, runs } = options
  const client = clientFor({ ...server, endpoint: server.http })
  const bucket = `s3ep-bench-${randomBytes(6).toString("hex")}`
  await createBucket(client, bucket)
  try {
    const place = await preparePlace(options, directory, server, bucket)
    const https: Place = {
      ...place,
      endpoint: server.https,
      authority: server.authority,
      directory: `${directory}/https`,
    }
    await mkdir(https.directory)
    const legs: Leg[] = [
      { transport: "http" as const, place, peers },
      {
        transport: "https" as const,
        place: https,
        peers: peers.filter((peer) => isAsked(peer, options.httpsPeers)),
      },
    ].filter(({ transport }) => options.transports.has(transport))
    for (const leg of legs) for (const peer of peers) await peer.setUp?.(leg.place)
    const plain = legs.filter(({ transport }) => transport === "http")
    if (only.has("start") && plain.length > 0) await measureStart(place, runs, recorder)
    // Before the server has taken memory for its objects, which it keeps.
    if (only.has("size")) await measureSizes(place, options, recorder)
    if (only.has("sparse")) await measureSparse(place, options, recorder)
    if (only.has("put") || only.has("get")) {
      const record = new Set((["put", "get"] as const).filter((work) => only.has(work)))
      await runRounds({ up: "put", down: "get", record }, legs, runs, recorder, save)
    }
    if (only.has("tree")) {
      const record: ReadonlySet<Work> = new Set(["tree-up", "tree-down"])
      const trees = plain.map((leg) => ({
        ...leg,
        peers: leg.peers.filter((peer) => isAsked(peer, options.treePeers)),
      }))
      await runRounds({ up: "tree-up", down: "tree-down", record }, trees, runs, recorder, save)
    }
    await save()
  } finally {
    await removeBucket(client, bucket)
    client.destroy()
  }
}

async function preparePlace(
  options: Options,
  directory: string,
  server: Server,
  bucket: string,
): Promise<Place> {
  const { region, accessKeyId, secretAccessKey } = server
  const place: Place = {
    endpoint: server.line,
    plainEndpoint: server.http,
    region,
    accessKeyId,
    secretAccessKey,
    authority: undefined,
    bucket,
    directory,
    file: join(directory, "file"),
    fileBytes: options.fileBytes,
    tree: join(directory, "tree"),
    target: join(directory, "target"),
    targetTree: join(directory, "target-tree"),
  }
  if (options.only.has("put") || options.only.has("get")) await writeRandomFile(place.file, options.fileBytes)
  if (options.only.has("tree")) await writeTree(place.tree, options.treeFiles)
  return place
}

/** As one would type it, without where things are on this machine. */
function commandLine(args: readonly string[]): string {
  const places = ["--out", "--update", "--dir"]
  const telling = args.filter(
    (arg, index) => !places.some((name) => arg.startsWith(name) || args[index - 1] === name),
  )
  const quoted = telling.map((arg) => (arg.includes(" ") ? `"${arg}"` : arg))
  return ["npm run bench", ...(quoted.length > 0 ? ["--", ...quoted] : [])].join(" ")
}

async function writeResults(options: Options, results: Results): Promise<void> {
  await mkdir(options.out, { recursive: true })
  await writeFile(join(options.out, "bench.json"), `${JSON.stringify(results, null, 2)}\n`)
  await writeFile(join(options.out, "bench.svg"), drawChart(results))
  await writeFile(join(options.out, "bench.md"), fullReport(results))
  if (options.update !== undefined) await updateSection(options.update, summary(results))
}

await bench(parseOptions(process.argv.slice(2)))
