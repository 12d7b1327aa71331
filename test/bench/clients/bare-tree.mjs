/**
 * The limit for a tree: small files to URLs, or what URLs answer to files, one request each. No S3, no signing, no
 * checksum, no encryption, no sync. `node bare-tree.mjs tree-up|tree-down PLAN`, where PLAN is a JSON file with
 * `connections` and `files`, each a `url` and a `path`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import http from "node:http"
import https from "node:https"
import { dirname } from "node:path"
import { buffer } from "node:stream/consumers"

const [work, planFile] = process.argv.slice(2)
const { connections, files } = JSON.parse(await readFile(planFile, "utf8"))
const { request, Agent } = files[0].url.startsWith("https:") ? https : http
const agent = new Agent({ keepAlive: true, maxSockets: connections })

function ask(url, method, body) {
  return new Promise((resolve, reject) => {
    const headers = body ? { "content-length": body.length } : {}
    const sending = request(url, { agent, method, headers }, (response) => {
      if (response.statusCode >= 300) reject(new Error(`${method} ${url}: ${response.statusCode}`))
      else buffer(response).then(resolve, reject)
    })
    sending.on("error", reject)
    sending.end(body)
  })
}

const made = new Set()

function makeDirectory(directory) {
  if (!made.has(directory)) mkdirSync(directory, { recursive: true })
  made.add(directory)
}

const works = {
  "tree-up": async ({ url, path }) => void (await ask(url, "PUT", readFileSync(path))),
  "tree-down": async ({ url, path }) => {
    const bytes = await ask(url, "GET")
    makeDirectory(dirname(path))
    writeFileSync(path, bytes)
  },
}
const queue = files.values()
const worker = async () => {
  for (const file of queue) await works[work](file)
}
await Promise.all(Array.from({ length: connections }, worker))
agent.destroy()
