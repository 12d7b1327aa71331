import { readdir, readFile, writeFile } from "node:fs/promises"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3"
import { clientFor } from "../objects.ts"
import { environment, homeOf, type Peer, type Place, type Work } from "../peer.ts"
import { presign } from "../presign.ts"

const MIB = 1024 * 1024
const PIECE_BYTES = 16 * MIB
const CONNECTIONS = 4
const SDK = fileURLToPath(new URL("../clients/sdk.mjs", import.meta.url))
const BARE = fileURLToPath(new URL("../clients/bare.mjs", import.meta.url))
const BARE_TREE = fileURLToPath(new URL("../clients/bare-tree.mjs", import.meta.url))
const FILES_AT_ONCE = 16
const BARE_SETTINGS = `presigned URLs; pieces of ${PIECE_BYTES / MIB} MiB, ${CONNECTIONS} at once; of a tree ${FILES_AT_ONCE} files`

/** lib-storage, GetObject and a loop, without encryption. */
const sdk: Peer = {
  name: "AWS SDK lib-storage",
  encrypts: false,
  settings: "a tree: a loop, 32 files at once",
  program: process.execPath,
  version: [process.execPath, "--version"],
  works: ["put", "get", "tree-up", "tree-down"],
  async command(place, work) {
    const home = await homeOf(place, "sdk")
    const local = { put: place.file, get: place.target, "tree-up": place.tree, "tree-down": place.targetTree }
    const remote = work === "put" || work === "get" ? "sdk/file" : "sdk/tree"
    return {
      argv: [process.execPath, SDK, work, place.endpoint, place.bucket, local[work], remote],
      cwd: place.directory,
      env: environment(place, home),
    }
  },
}

const KEY = "bare/file"

/** A part to send or a range to fetch. */
interface Piece {
  readonly url: string
  readonly offset: number
  readonly bytes: number
}

/**
 * A bare HTTP client. That its URLs are presigned, and those of a multipart upload, is settled before and after the
 * measured run: it sends the bytes of a file to URLs, or writes what URLs answer.
 */
class BareClient implements Peer {
  readonly name = "bare HTTP client"
  readonly encrypts = false
  readonly settings = BARE_SETTINGS
  readonly program = process.execPath
  readonly version = [process.execPath, "--version"]
  readonly works = ["put", "get"] as const
  #uploadId: string | undefined

  async before(place: Place, work: Work): Promise<void> {
    using client = disposable(clientFor({ ...place, endpoint: place.plainEndpoint }))
    const { s3 } = client
    const address = { Bucket: place.bucket, Key: KEY }
    const stored = work === "get" ? await s3.send(new HeadObjectCommand(address)) : undefined
    const { UploadId } = stored ? {} : await s3.send(new CreateMultipartUploadCommand(address))
    this.#uploadId = UploadId
    const bytes = stored?.ContentLength ?? place.fileBytes
    const pieces = Array.from({ length: Math.ceil(bytes / PIECE_BYTES) }, (_, index): Piece => {
      const part = UploadId && { partNumber: String(index + 1), uploadId: UploadId }
      const url = presign(place, work === "put" ? "PUT" : "GET", KEY, part || {})
      const offset = index * PIECE_BYTES
      return { url, offset, bytes: Math.min(PIECE_BYTES, bytes - offset) }
    })
    await writeFile(await planOf(place), JSON.stringify({ connections: CONNECTIONS, pieces }))
  }

  async command(place: Place, work: Work) {
    const home = await homeOf(place, "bare")
    const local = work === "put" ? place.file : place.target
    return {
      argv: [process.execPath, BARE, work, local, await planOf(place)],
      cwd: place.directory,
      env: environment(place, home),
    }
  }

  async after(place: Place, work: Work): Promise<void> {
    if (work !== "put") return
    using client = disposable(clientFor({ ...place, endpoint: place.plainEndpoint }))
    const etags: string[] = JSON.parse(await readFile(`${await planOf(place)}.done`, "utf8"))
    await client.s3.send(
      new CompleteMultipartUploadCommand({
        Bucket: place.bucket,
        Key: KEY,
        UploadId: this.#uploadId,
        MultipartUpload: { Parts: etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 })) },
      }),
    )
  }
}

async function planOf(place: Place): Promise<string> {
  return `${await homeOf(place, "bare")}/plan.json`
}

function disposable(s3: S3Client): { s3: S3Client } & Disposable {
  return { s3, [Symbol.dispose]: () => s3.destroy() }
}

/** As `BareClient`, for a tree: a URL for each file, known beforehand. */
const bareTree: Peer = {
  name: "bare HTTP client",
  encrypts: false,
  settings: BARE_SETTINGS,
  program: process.execPath,
  version: [process.execPath, "--version"],
  works: ["tree-up", "tree-down"],
  async before(place, work) {
    const entries = await readdir(place.tree, { recursive: true, withFileTypes: true })
    const names = entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(place.tree, join(entry.parentPath, entry.name)))
    const local = work === "tree-up" ? place.tree : place.targetTree
    const files = names.map((name) => ({
      url: presign(place, work === "tree-up" ? "PUT" : "GET", `bare/tree/${name}`, {}),
      path: join(local, name),
    }))
    await writeFile(await planOf(place), JSON.stringify({ connections: FILES_AT_ONCE, files }))
  },
  async command(place, work) {
    const home = await homeOf(place, "bare")
    return {
      argv: [process.execPath, BARE_TREE, work, await planOf(place)],
      cwd: place.directory,
      env: environment(place, home),
    }
  },
}

export const bare: Peer = new BareClient()
export const nodePeers: readonly Peer[] = [sdk, bare, bareTree]
