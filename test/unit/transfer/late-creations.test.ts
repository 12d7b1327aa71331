import { mkdir, readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { DeniedError } from "../../../src/errors.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { journalId, journalPath, lockPath } from "../../../src/transfer/journal.ts"
import { acquireLock } from "../../../src/transfer/lock.ts"
import { uploadFile } from "../../../src/transfer/upload.ts"
import { uploadTree } from "../../../src/transfer/upload-tree.ts"
import { cleanUploads } from "../../../src/transfer/uploads.ts"
import { faulty } from "../../support/faults.ts"
import { CHUNK, callsOf, noise, opened, openSite, PART, type Site, thrown } from "./upload-site.ts"

// A process is killed while its requests to begin an upload are on their way, the next one does the work, and the
// service carries the requests out after it has looked for what they might have left.

const files = ["one", "two", "three", "four"]
const SKEW = -3 * 3_600_000
const MINUTE = 60_000
const YEAR = 365 * 24 * 60 * MINUTE

interface Place extends AsyncDisposable {
  readonly site: Site
  now: number
  put(store?: ObjectStore): Promise<{ done: number; skipped: number; failed: readonly unknown[] }>
  /** A store that answers no request to begin an upload and carries none of them out yet. */
  readonly deferring: ObjectStore
  /** Carries them out. @returns the ids of the uploads. */
  carryOut(): Promise<string[]>
  uploads(): string[]
  records(): Promise<string[]>
  clean(over?: { dryRun?: boolean; olderThanMs?: number }): Promise<unknown>
}

async function openPlace(): Promise<Place> {
  const place = { now: Date.UTC(2026, 2, 1) }
  const site = await openSite({ now: () => new Date(place.now + SKEW) })
  const root = join(site.directory, "tree")
  await mkdir(root)
  for (const [index, name] of files.entries()) await writeFile(join(root, name), noise(3 * PART, index + 1))
  const context = (store: ObjectStore = site.store) =>
    site.context({
      store,
      clock: { now: () => place.now, delay: async (_, signal) => signal?.throwIfAborted() },
    })
  const waiting: (() => Promise<string>)[] = []
  const lost = faulty(site.store, { operation: "createUpload", moment: "before" })
  return {
    site,
    get now() {
      return place.now
    },
    set now(to) {
      place.now = to
    },
    put: (store) =>
      uploadTree(context(store), {
        root,
        bucket: "vault",
        prefix: "backup",
        settings: { metadata: {} },
        partBytes: PART,
        chunkBytes: CHUNK,
        skipExisting: true,
      }),
    deferring: {
      ...lost,
      createUpload: (...args) => {
        waiting.push(() => site.store.createUpload(...args))
        return lost.createUpload(...args)
      },
    },
    carryOut: async () => Promise.all(waiting.splice(0).map((act) => act())),
    uploads: () => [...site.store.uploads.keys()],
    records: () => readdir(join(site.directory, "state", "uploads")),
    clean: (over) => cleanUploads(context(), { olderThanMs: YEAR, ...over }),
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  }
}

/** The first run is killed; the second begins a second later, and sees the others' uploads at the given moment. */
async function killed(place: Place, moment: "before its look" | "after its end"): Promise<string[]> {
  expect((await place.put(place.deferring)).failed).toHaveLength(files.length)
  place.now += 1000
  let late: string[] = []
  const { store } = place.site
  const overtaken: ObjectStore = {
    ...faulty(store, { call: 0, moment: "before" }),
    listUploads: async function* (...args) {
      place.now += 1
      if (moment === "before its look") late = [...late, ...(await place.carryOut())]
      yield* store.listUploads(...args)
    },
  }
  expect(await place.put(overtaken)).toMatchObject({ done: files.length, failed: [] })
  place.now += 1
  if (moment === "after its end") late = await place.carryOut()
  return late
}

async function expectOnlyTheObjects(place: Place): Promise<void> {
  expect(place.uploads()).toEqual([])
  expect(await place.records()).toEqual([])
  for (const [index, name] of files.entries()) {
    expect(await opened(place.site.store, place.site.kek, `backup/${name}`)).toEqual(
      noise(3 * PART, index + 1),
    )
  }
}

describe.each(["before its look", "after its end"] as const)(
  "what a killed run's requests make, carried out after those of the next run, %s,",
  (moment) => {
    test("is removed by the same command, two minutes later", async () => {
      await using place = await openPlace()
      expect(await killed(place, moment)).toHaveLength(files.length)
      place.now += 2 * MINUTE
      expect(await place.put()).toMatchObject({ done: 0, skipped: files.length })
      await expectOnlyTheObjects(place)
    })

    test("is removed by mp-upload clean, however old others may become", async () => {
      await using place = await openPlace()
      await killed(place, moment)
      place.now += 2 * MINUTE
      await place.clean({ dryRun: true })
      expect(place.uploads()).toHaveLength(files.length)
      await place.clean()
      await expectOnlyTheObjects(place)
    })

    test("is left alone for so long, as it might be somebody's who has just begun", async () => {
      await using place = await openPlace()
      const late = await killed(place, moment)
      place.now += MINUTE
      await place.put()
      expect(place.uploads()).toEqual(late)
      expect(await place.records()).toHaveLength(files.length)
    })

    test("is left alone for good once it has a part", async () => {
      await using place = await openPlace()
      const late = await killed(place, moment)
      for (const [uploadId, { address }] of place.site.store.uploads) {
        await place.site.store.uploadPart(address, uploadId, 1, noise(CHUNK), { checksum: "none" })
      }
      place.now += 2 * MINUTE
      await place.put()
      expect(place.uploads()).toEqual(late)
      expect(await place.records()).toEqual([])
    })
  },
)

describe("a request that was never carried out", () => {
  test("is looked for once more, and not on record any more", async () => {
    await using place = await openPlace()
    await place.put(place.deferring)
    await place.put()
    const before = callsOf(place.site.store, "listUploads").length
    for (const after of [MINUTE, MINUTE, MINUTE]) {
      place.now += after
      await place.put()
    }
    expect(callsOf(place.site.store, "listUploads")).toHaveLength(before + files.length)
    await expectOnlyTheObjects(place)
  })

  test("is looked for again while the service cannot be asked, and no more if it does not let us look", async () => {
    await using place = await openPlace()
    await place.put(place.deferring)
    await place.put()
    place.now += 2 * MINUTE
    await place.put(faulty(place.site.store, { operation: "listUploads", moment: "before" }))
    expect(await place.records()).toHaveLength(files.length)
    const error = new DeniedError("no s3:ListBucketMultipartUploads")
    await place.put(faulty(place.site.store, { operation: "listUploads", moment: "before", error }))
    expect(await place.records()).toEqual([])
  })

  test("is forgotten by mp-upload clean once it is that old, if there was never a run to compare with", async () => {
    await using place = await openPlace()
    await place.put(place.deferring)
    place.now += 5 * MINUTE
    await place.clean({ olderThanMs: 6 * MINUTE })
    expect(await place.records()).toHaveLength(files.length)
    await place.clean({ olderThanMs: 4 * MINUTE })
    expect(await place.records()).toEqual([])
  })
})

describe("while another run is at the object, or is to go on with it, nothing is looked for", () => {
  const address = { bucket: "vault", key: "backup/one" }

  test("which holds its lock", async () => {
    await using place = await openPlace()
    const late = await killed(place, "after its end")
    place.now += 2 * MINUTE
    const id = journalId(place.site.store.endpoint, address)
    {
      const path = lockPath(join(place.site.directory, "state"), id)
      await using _ = await acquireLock(path, "it", place.site.context().random)
      await place.put()
      expect(place.uploads()).toHaveLength(1)
      expect(late).toContain(place.uploads()[0])
    }
    await place.put()
    await expectOnlyTheObjects(place)
  })

  test("whose journal is there", async () => {
    await using place = await openPlace()
    const late = await killed(place, "after its end")
    const broken = faulty(place.site.store, { operation: "uploadPart", moment: "before" })
    const path = join(place.site.directory, "tree", "one")
    const clock = { now: () => place.now, delay: async () => undefined }
    await thrown(
      uploadFile(place.site.context({ store: broken, clock }), place.site.request(path, { address })),
    )
    const id = journalId(place.site.store.endpoint, address)
    expect(await place.records()).toContain(journalPath("", id).split("/").at(-1))
    place.now += 2 * MINUTE
    await place.put()
    expect(place.uploads()).toHaveLength(2)
    expect(late).toContain(place.uploads()[0])
    await uploadFile(place.site.context({ clock }), place.site.request(path, { address }))
    await expectOnlyTheObjects(place)
  })
})
