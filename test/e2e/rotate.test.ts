import { randomBytes } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { setTimeout as delay } from "node:timers/promises"
import { afterEach, beforeEach, expect, test } from "vitest"
import { withRetry } from "../../src/store/retry.ts"
import { createS3Store } from "../../src/store/s3.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import { forEachConcurrent } from "../../src/transfer/concurrent.ts"
import { openWorkspace, run, start, type Workspace } from "../support/program.ts"
import { openSite, type Site } from "../support/site.ts"
import { newKek, openRotationSite, type RotationSite } from "../unit/rotation/rotation-site.ts"

/** Ten thousand take minutes on a small machine: S3EP_TEST_ROTATED_OBJECTS=10000 has them. */
const OBJECTS = Number(process.env["S3EP_TEST_ROTATED_OBJECTS"] ?? 1000)
const KILLS = 10
const KILLED_OBJECTS = 120
const AT_ONCE = 32
const tags = { keep: "me" }

let site: Site
let workspace: Workspace
let rotated: RotationSite<ObjectStore>

beforeEach(async () => {
  site = await openSite()
  const [old, fresh] = [randomBytes(32), randomBytes(32)]
  const store = withRetry(
    createS3Store({
      endpoint: site.endpoint,
      region: site.env["S3EP_REGION"],
      pathStyle: true,
      credentials: {
        accessKeyId: site.env["AWS_ACCESS_KEY_ID"] ?? "",
        secretAccessKey: site.env["AWS_SECRET_ACCESS_KEY"] ?? "",
      },
      onNotice: () => undefined,
    }),
    { delay: (ms) => delay(ms), random: Math.random },
  )
  rotated = await openRotationSite(store, site.bucket, "", {}, [newKek("old", old), newKek("fresh", fresh)])
  workspace = await openWorkspace({ ...site.env, S3EP_KEK: old.toString("base64") })
  const file = workspace.path("fresh.key")
  await writeFile(file, fresh, { mode: 0o600 })
  workspace = { ...workspace, env: { ...workspace.env, S3EP_KEK_FILE: file, NODE_OPTIONS: "" } }
})

afterEach(async () => {
  rotated.store.close()
  await workspace[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
  // Ten thousand objects are taken away one by one.
}, 900_000)

function rotateTo(id: string): string[] {
  return ["rotate-key", `s3://${site.bucket}/`, "--to", id, "--quiet"]
}

async function fill(count: number, settings = {}): Promise<Map<string, string>> {
  const content = new Map(
    Array.from({ length: count }, (_, index) => [`dir ${index % 7}/${index}`, `first ${index}`]),
  )
  await forEachConcurrent(content, AT_ONCE, ([key, text]) => rotated.put(key, text, settings))
  return content
}

test("killed at any moment, no object is left that neither key opens, and the next run ends it", async () => {
  const content = await fill(KILLED_OBJECTS, { tags })
  const both = [rotated.old, rotated.fresh]
  let killed = 0
  for (let round = 0; round < KILLS; round += 1) {
    const to = round % 2 === 0 ? rotated.fresh : rotated.old
    const running = start(workspace, rotateTo(to.id))
    // Until the program has begun, a signal proves nothing.
    await delay(700 + Math.random() * 1500)
    running.child.kill("SIGKILL")
    if ((await running.finished).signal === "SIGKILL") killed += 1
    await forEachConcurrent(content, AT_ONCE, async ([key, text]) => {
      expect(await rotated.read(key, both)).toBe(text)
    })
    const finished = await run(workspace, rotateTo(to.id))
    expect(finished.stderr).not.toContain("error")
    expect(finished.status).toBe(0)
    await forEachConcurrent(content, AT_ONCE, async ([key, text]) => {
      expect(await rotated.read(key, [to])).toBe(text)
      if (key.endsWith("7")) {
        expect(await rotated.store.getTags({ bucket: site.bucket, key })).toEqual(tags)
      }
    })
  }
  expect(killed).toBeGreaterThan(KILLS / 3)
}, 600_000)

test(`${OBJECTS} objects beside a writer: none is lost, none is reverted`, async () => {
  const content = await fill(OBJECTS)
  const keys = [...content.keys()]
  let writing = true
  let written = 0
  const write = async () => {
    while (writing) {
      const key = keys[Math.floor(Math.random() * keys.length)] ?? ""
      const text = `second ${written++}`
      if (written % 10 === 0) {
        await rotated.store.delete({ bucket: site.bucket, key })
        content.delete(key)
      }
      await rotated.put(key, text)
      content.set(key, text)
    }
  }
  const writer = write()
  const first = await run(workspace, rotateTo(rotated.fresh.id))
  writing = false
  await writer
  expect(first.stderr).not.toContain("error")
  expect(first.status).toBe(0)
  expect(written).toBeGreaterThan(50)
  const all = [rotated.old, rotated.fresh]
  await forEachConcurrent(content, AT_ONCE, async ([key, text]) => {
    expect(await rotated.read(key, all)).toBe(text)
  })
  // What the writer wrote behind the run is moved by the next one, and then the old key opens nothing.
  expect((await run(workspace, rotateTo(rotated.fresh.id))).status).toBe(0)
  const proof = await run(workspace, [
    "rotate-key",
    `s3://${site.bucket}/`,
    "--from",
    rotated.old.id,
    "--prove",
    "--json",
  ])
  const lines = proof.stdout.toString().trim().split("\n")
  expect(lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ type: "proof", holds: true, open: 0, closed: content.size }),
  )
  expect(proof.status).toBe(0)
}, 3_600_000)
