/**
 * How fast objects move to another KEK, and what passes through this machine: `npx tsx test/bench/rotate.ts [OBJECTS
 * [KIB]]`, against the embedded server or the one that `S3EP_TEST_ENDPOINT` and its companions name.
 */
import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SecretBytes } from "../../src/crypto/secret.ts"
import { aesKek } from "../../src/keys/aes.ts"
import { systemRandom } from "../../src/keys/random.ts"
import { rotate } from "../../src/rotation/rotate.ts"
import { withRetry } from "../../src/store/retry.ts"
import { createS3Store } from "../../src/store/s3.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import { forEachConcurrent } from "../../src/transfer/concurrent.ts"
import { uploadStream } from "../../src/transfer/upload-stream.ts"
import { startCountingProxy } from "../support/counting-proxy.ts"
import { openSite } from "../support/site.ts"

const AT_ONCE = 32

export interface RotationFigures {
  readonly objects: number
  readonly storedBytes: number
  readonly seconds: number
  readonly objectsPerSecond: number
  /** Over TCP, headers and all, for each object. */
  readonly sentBytesPerObject: number
  readonly receivedBytesPerObject: number
  /** Requests that carry an object's body, in either direction; there must be none. */
  readonly bodyRequests: number
}

/** Put objects, move them to another KEK, and count. */
export async function benchRotation(objects: number, objectBytes: number): Promise<RotationFigures> {
  await using site = await openSite()
  await using proxy = await startCountingProxy(site.endpoint)
  const stateDirectory = await mkdtemp(join(tmpdir(), "s3ep-bench-"))
  const credentials = {
    accessKeyId: site.env["AWS_ACCESS_KEY_ID"] ?? "",
    secretAccessKey: site.env["AWS_SECRET_ACCESS_KEY"] ?? "",
  }
  const region = site.env["S3EP_REGION"]
  const bare = createS3Store({
    endpoint: proxy.endpoint,
    region,
    pathStyle: true,
    credentials,
    onNotice: () => undefined,
  })
  let bodyRequests = 0
  const counting = countingBodies(bare, () => bodyRequests++)
  const store = withRetry(counting, { delay: async () => undefined, random: Math.random })
  const [old, fresh] = [randomBytes(32), randomBytes(32)].map((key) =>
    aesKek(new SecretBytes(Uint8Array.from(key)), "k"),
  )
  if (!old || !fresh) throw new Error("two keys were made")
  const context = {
    store,
    keys: { readers: [old], writers: [old], [Symbol.dispose]: () => undefined },
    random: systemRandom,
    clock: { now: Date.now, delay: async () => undefined },
    stateDirectory,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  }
  try {
    const { bucket } = site
    await forEachConcurrent(Array(objects).keys(), AT_ONCE, async (index) => {
      const source = once(randomBytes(objectBytes))
      const address = { bucket, key: `object ${index}` }
      await uploadStream(context, { address, source, settings: { metadata: {} } })
    })
    bodyRequests = 0
    const { sent, received } = proxy
    const began = performance.now()
    let moved = 0
    let storedBytes = 0
    const targets = [{ kind: "tree", bucket, prefix: "" }] as const
    await rotate(context, { targets, to: [fresh], concurrency: AT_ONCE }, (outcome) => {
      if (outcome.kind !== "moved") throw new Error(`${outcome.address.key}: ${outcome.kind}`)
      moved += 1
      storedBytes += outcome.info.bytes
    })
    const seconds = (performance.now() - began) / 1000
    return {
      objects: moved,
      storedBytes,
      seconds,
      objectsPerSecond: moved / seconds,
      sentBytesPerObject: (proxy.sent - sent) / moved,
      receivedBytesPerObject: (proxy.received - received) / moved,
      bodyRequests,
    }
  } finally {
    store.close()
    await rm(stateDirectory, { recursive: true, force: true })
  }
}

/** The store, telling of every request that would carry a body. */
function countingBodies(store: ObjectStore, onBody: () => void): ObjectStore {
  const get: ObjectStore["get"] = (...args) => {
    onBody()
    return store.get(...args)
  }
  const put: ObjectStore["put"] = (...args) => {
    onBody()
    return store.put(...args)
  }
  const uploadPart: ObjectStore["uploadPart"] = (...args) => {
    onBody()
    return store.uploadPart(...args)
  }
  return { ...store, get, put, uploadPart }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

if (process.argv[1]?.endsWith("rotate.ts")) {
  const [objects = 1000, kib = 64] = process.argv.slice(2).map(Number)
  const figures = await benchRotation(objects, kib * 1024)
  const { objectsPerSecond, storedBytes, seconds, sentBytesPerObject, receivedBytesPerObject } = figures
  process.stdout.write(
    `${figures.objects} objects, ${(storedBytes / 1024 ** 2).toFixed(1)} MiB, in ${seconds.toFixed(1)} s: ` +
      `${objectsPerSecond.toFixed(0)} objects/s; ${figures.bodyRequests} requests with a body; ` +
      `${sentBytesPerObject.toFixed(0)} bytes sent and ${receivedBytesPerObject.toFixed(0)} received for each, headers and all\n`,
  )
}
