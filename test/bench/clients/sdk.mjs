/**
 * What a program in Node does with the AWS SDK and without encryption: lib-storage and GetObject as they come, and a
 * plain loop over a tree, 32 files at once. `node sdk.mjs put|get|tree-up|tree-down ENDPOINT BUCKET LOCAL REMOTE`
 */
import { createReadStream, createWriteStream } from "node:fs"
import { mkdir, readdir, readFile } from "node:fs/promises"
import { dirname, join, relative } from "node:path"
import { pipeline } from "node:stream/promises"
import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3"
import { Upload } from "@aws-sdk/lib-storage"

const AT_ONCE = 32
const [work, endpoint, bucket, local, remote] = process.argv.slice(2)
const client = new S3Client({ endpoint, forcePathStyle: true })

async function atOnce(items, each) {
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) await each(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

async function download(key, path) {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
  await pipeline(Body, createWriteStream(path))
}

async function treeUp() {
  const entries = await readdir(local, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  await atOnce(files, async (file) => {
    const Key = `${remote}/${relative(local, file)}`
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: await readFile(file) }))
  })
}

async function treeDown() {
  const keys = []
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: `${remote}/` })) {
    for (const { Key } of page.Contents ?? []) keys.push(Key)
  }
  const made = new Set()
  await atOnce(keys, async (key) => {
    const path = join(local, key.slice(remote.length + 1))
    const directory = dirname(path)
    if (!made.has(directory)) await mkdir(directory, { recursive: true })
    made.add(directory)
    await download(key, path)
  })
}

const works = {
  put: () =>
    new Upload({ client, params: { Bucket: bucket, Key: remote, Body: createReadStream(local) } }).done(),
  get: () => download(remote, local),
  "tree-up": treeUp,
  "tree-down": treeDown,
}
await works[work]()
