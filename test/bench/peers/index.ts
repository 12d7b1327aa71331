import { execFileSync } from "node:child_process"
import type { Peer } from "../peer.ts"
import { awsPeers } from "./aws.ts"
import { mc } from "./mc.ts"
import { nodePeers } from "./node.ts"
import { rclones } from "./rclone.ts"
import { restic } from "./restic.ts"
import { s3cmd } from "./s3cmd.ts"
import { s3ep } from "./s3ep.ts"

const peers: readonly Peer[] = [s3ep, ...rclones, restic, s3cmd, ...awsPeers, mc, ...nodePeers]

/** A peer that is here, and what it says its version is. */
export interface FoundPeer {
  readonly peer: Peer
  readonly version: string
}

/** @param names - beginnings of the names to look for; all if there are none. */
export function findPeers(names: readonly string[]): { found: FoundPeer[]; missing: string[] } {
  const found: FoundPeer[] = []
  const missing: string[] = []
  for (const peer of peers) {
    if (!isAsked(peer, names)) continue
    const version = versionOf(peer)
    if (version === undefined) missing.push(`${peer.name}: ${peer.program} is not on the PATH`)
    else found.push({ peer, version })
  }
  return { found, missing }
}

/** Whether the name of a peer begins with one of those; s3ep is always asked. */
export function isAsked(peer: Peer, names: readonly string[]): boolean {
  return names.length === 0 || peer === s3ep || names.some((name) => peer.name.startsWith(name))
}

function versionOf({ version: [program = "", ...args] }: Peer): string | undefined {
  const env = { ...process.env, PATH: `/usr/bin:/bin:${process.env["PATH"] ?? ""}` }
  try {
    return execFileSync(program, args, { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .split("\n", 1)
      .join("")
      .trim()
  } catch {
    return undefined
  }
}
