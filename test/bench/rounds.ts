import { rm } from "node:fs/promises"
import { expectSame, useMemory } from "./files.ts"
import { measure } from "./measure.ts"
import { clientFor, emptyBucket } from "./objects.ts"
import type { Peer, Place, Work } from "./peer.ts"
import type { Recorder, Transport } from "./results.ts"

/** What a client may take of the system's memory, beside a large file it writes. */
const CLIENT_BYTES = 512 * 1024 ** 2

/** Work that goes up and then comes down again. */
export interface Trip {
  readonly up: Work
  readonly down: Work
  /** Which of the two are to be recorded. */
  readonly record: ReadonlySet<Work>
}

export interface Leg {
  readonly transport: Transport
  readonly place: Place
  readonly peers: readonly Peer[]
}

/**
 * Every peer over every transport, once per run, so that whatever the machine does meanwhile meets all of them. A
 * peer that fails is left out from then on. Before all of them one makes the trip that is not counted: the server is
 * given its memory then.
 */
export async function runRounds(
  trip: Trip,
  legs: readonly Leg[],
  runs: number,
  recorder: Recorder,
  afterRound: () => Promise<void>,
): Promise<void> {
  const failed = new Set<string>()
  const [leg] = legs
  const peer = leg?.peers.find(({ works }) => works.includes(trip.up))
  // If it fails, so will the first that is counted, and be reported.
  if (leg && peer) await makeTrip(trip, leg, peer, null).catch(() => undefined)
  for (let run = 0; run < runs; run++) {
    for (const leg of legs) {
      const peers = leg.peers.filter(({ works }) => works.includes(trip.up))
      // Nobody is always the one behind the slowest.
      const first = run % Math.max(1, peers.length)
      for (const peer of [...peers.slice(first), ...peers.slice(0, first)]) {
        const name = `${peer.name} over ${leg.transport}, ${trip.up}`
        if (failed.has(name)) continue
        try {
          await makeTrip(trip, leg, peer, recorder)
        } catch (error) {
          failed.add(name)
          recorder.leave(`${name}: ${failureOf(error)}`)
        }
      }
    }
    await afterRound()
  }
}

function failureOf(error: unknown): string {
  return String(error).split("\n", 1).join("")
}

/** @param recorder - null if nothing is to be counted. */
async function makeTrip(trip: Trip, leg: Leg, peer: Peer, recorder: Recorder | null): Promise<void> {
  const { place, transport } = leg
  const client = clientFor({ ...place, endpoint: place.plainEndpoint })
  const written = trip.down === "get" ? place.target : place.targetTree
  const original = trip.down === "get" ? place.file : place.tree
  try {
    for (const work of [trip.up, trip.down]) {
      await peer.before?.(place, work)
      const command = await peer.command(place, work)
      await useMemory(place.directory, CLIENT_BYTES + (work === "get" ? place.fileBytes : 0))
      const cost = await measure(command)
      await peer.after?.(place, work)
      if (work === trip.down) await expectSame(original, written)
      const { name, encrypts } = peer
      if (trip.record.has(work)) recorder?.add({ transport, work, peer: name, encrypts }, cost)
    }
  } finally {
    await rm(written, { recursive: true, force: true })
    await emptyBucket(client, place.bucket)
    client.destroy()
  }
}
