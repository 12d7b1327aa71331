import { expect, test } from "vitest"
import { S3epError } from "../../../src/errors.ts"
import { withRetry } from "../../../src/store/retry.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { faulty } from "../../support/faults.ts"
import type { MemoryStore } from "../../support/memory-store.ts"
import { kinds, memorySite, type RotationSite } from "./rotation-site.ts"

const LARGE = 40_000
const tags = { keep: "me", and: "me too" }
const grants = [
  { grantee: { kind: "user", id: "memory" }, permission: "FULL_CONTROL" },
  { grantee: { kind: "user", id: "them" }, permission: "READ" },
] as const

/** One small object and one that is copied in parts, with everything that takes a step of its own. */
async function filledSite(): Promise<RotationSite<MemoryStore>> {
  const site = await memorySite({
    limits: { minPartBytes: 4096, maxPutBytes: 20_000, maxPartBytes: 20_000 },
    cut: { chunkBytes: 4096, partBytes: 16_384 },
  })
  await site.put("small", "small body", { tags, grants })
  await site.put("large", Buffer.alloc(LARGE, "l"), { tags, grants })
  return site
}

/** What must hold after every fault, and after the run that follows. */
async function expectReadable(site: RotationSite<MemoryStore>): Promise<void> {
  const both = [site.old, site.fresh]
  expect(await site.read("small", both)).toBe("small body")
  expect((await site.read("large", both)).length).toBe(LARGE)
}

async function expectMoved(site: RotationSite<MemoryStore>): Promise<void> {
  expect(await site.read("small", [site.fresh])).toBe("small body")
  expect((await site.read("large", [site.fresh])).length).toBe(LARGE)
  for (const key of ["small", "large"]) {
    const address = { bucket: "vault", key }
    expect(await site.store.getTags(address)).toEqual(tags)
    expect((await site.store.getAcl(address)).grants).toEqual(grants)
  }
  expect(site.store.uploads.size).toBe(0)
}

/** A store that carries neither tags nor ACLs over, as some do. */
function forgetful(store: MemoryStore): ObjectStore {
  return new Proxy<ObjectStore>(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== "function") return member
      if (name !== "copy" && name !== "completeUpload") return member.bind(target)
      return async (...args: unknown[]) => {
        const answer: unknown = await Reflect.apply(member, target, args)
        const address = args[name === "copy" ? 1 : 0]
        if (isAddress(address)) store.amend(address, { tags: {}, grants: undefined })
        return answer
      }
    },
  })
}

function isAddress(value: unknown): value is { bucket: string; key: string } {
  return typeof value === "object" && value !== null && "bucket" in value && "key" in value
}

/** How many calls an undisturbed run makes. */
async function callsOf(wrap: (store: MemoryStore) => ObjectStore): Promise<number> {
  const site = await filledSite()
  const before = site.store.calls.length
  await site.rotate({ concurrency: 1 }, { store: wrap(site.store) })
  await expectMoved(site)
  return site.store.calls.length - before
}

const faults = [
  ["a store", "before", (store: MemoryStore) => store],
  ["a store", "after", (store: MemoryStore) => store],
  ["a forgetful store", "after", forgetful],
] as const

test.each(faults)(
  "%s that fails %s any call leaves every object readable, and the next run ends it",
  async (_, moment, wrap) => {
    const calls = await callsOf(wrap)
    expect(calls).toBeGreaterThan(15)
    for (let call = 1; call <= calls; call += 1) {
      const site = await filledSite()
      const store = faulty(wrap(site.store), { call, moment })
      await site.rotate({ concurrency: 1 }, { store }).catch((error: unknown) => {
        expect(error).toBeInstanceOf(S3epError)
      })
      await expectReadable(site)
      const outcomes = await site.rotate({}, { store: wrap(site.store) })
      expect(outcomes.filter(({ kind }) => kind === "failed")).toEqual([])
      await expectMoved(site)
    }
  },
  60_000,
)

test("a lost answer is settled by looking when requests are retried", async () => {
  const calls = await callsOf((store) => store)
  for (let call = 1; call <= calls; call += 1) {
    const site = await filledSite()
    const failing = faulty(site.store, { call, moment: "after" })
    const store = withRetry(failing, { delay: async () => undefined, random: () => 0 })
    expect(kinds(await site.rotate({ concurrency: 1 }, { store }))).toEqual({
      small: "copy",
      large: "copy-in-parts",
    })
    await expectMoved(site)
  }
}, 60_000)
