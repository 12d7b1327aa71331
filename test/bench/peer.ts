import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Command } from "./measure.ts"

/** A file or a tree, up or down. */
export type Work = "put" | "get" | "tree-up" | "tree-down"

/** Where the work is done: the same server and the same files for everyone. */
export interface Place {
  readonly endpoint: string
  /** The same server without TLS, for what is done around the measured runs. */
  readonly plainEndpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** PEM file of the authority that signed the server's certificate. */
  readonly authority: string | undefined
  readonly bucket: string
  /** Holds everything below. */
  readonly directory: string
  readonly file: string
  readonly fileBytes: number
  readonly tree: string
  /** Where `get` writes, and `tree-down`. */
  readonly target: string
  readonly targetTree: string
}

/** One tool with one choice of settings. */
export interface Peer {
  readonly name: string
  readonly encrypts: boolean
  /** What is not as the tool comes. */
  readonly settings: string
  /** Looked for on the PATH. */
  readonly program: string
  /** Prints the version. */
  readonly version: readonly string[]
  readonly works: readonly Work[]
  /** Once for a place: configuration, keys. */
  setUp?(place: Place): Promise<void>
  /** Before each run, and not measured. */
  before?(place: Place, work: Work): Promise<void>
  command(place: Place, work: Work): Promise<Command>
  /** After each run, and not measured. */
  after?(place: Place, work: Work): Promise<void>
}

/** A directory of the peer's own, which is its home too: no setting of the machine reaches it. */
export async function homeOf(place: Place, name: string): Promise<string> {
  const home = join(place.directory, "homes", name)
  await mkdir(home, { recursive: true })
  return home
}

/** What a tool finds in its environment; the system's own tools come first on the PATH. */
export function environment(place: Place, home: string): Record<string, string> {
  return {
    PATH: `/usr/bin:/bin:${process.env["PATH"] ?? ""}`,
    LANG: "C.UTF-8",
    HOME: home,
    TMPDIR: place.directory,
    AWS_ACCESS_KEY_ID: place.accessKeyId,
    AWS_SECRET_ACCESS_KEY: place.secretAccessKey,
    AWS_REGION: place.region,
    AWS_DEFAULT_REGION: place.region,
    AWS_EC2_METADATA_DISABLED: "true",
    ...(place.authority && { AWS_CA_BUNDLE: place.authority, NODE_EXTRA_CA_CERTS: place.authority }),
  }
}

export async function writeConfig(home: string, name: string, text: string): Promise<string> {
  const path = join(home, name)
  await writeFile(path, text, { mode: 0o600 })
  return path
}
