import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import {
  DeniedError,
  IntegrityError,
  KeyMissingError,
  LocalIoError,
  UnavailableError,
} from "../../../src/errors.ts"
import { commitChange, newEpoch, newKeyring, openTrusted, trustKeyring } from "../../../src/keyring/admin.ts"
import type { KeyringContext } from "../../../src/keyring/context.ts"
import { activeEpoch } from "../../../src/keyring/keyring.ts"
import { Keyrings, type KeyringsOptions } from "../../../src/keyring/keyrings.ts"
import { fetchKeyring } from "../../../src/keyring/object.ts"
import { listSeenKeyrings } from "../../../src/keyring/seen.ts"
import { faulty } from "../../support/faults.ts"
import { change, init, kekOf, memoryStore, openMachine, PLACE, publicKek } from "./keyring-site.ts"

const alice = kekOf("alice", 1)
const bob = kekOf("bob", 2)
const OBJECT = { bucket: "vault", key: "photos/2026/a.jpg" }

const idsOf = (keks: readonly { readonly id: string }[] | null) => keks?.map(({ id }) => id) ?? null
const recipient = (kek: string) => ({ kek, alg: "HKDF-A256GCM", ct: "AA" })

async function writers(context: KeyringContext, options: KeyringsOptions = {}, address = OBJECT) {
  using keyrings = new Keyrings(context, options)
  return idsOf(await keyrings.writersFor(address))
}

describe("writing", () => {
  test("without a keyring goes on without", async () => {
    const { context } = await openMachine(memoryStore(), [alice])
    expect(await writers(context)).toBeNull()
  })

  test("into a bucket that is not there is left to fail by itself", async () => {
    const { context } = await openMachine(memoryStore(), [alice])
    expect(await writers(context, {}, { bucket: "none", key: "a/b" })).toBeNull()
  })

  test("asks each place once in a run, present or not", async () => {
    const store = memoryStore()
    const { context } = await openMachine(store, [alice])
    const { epochs } = await init(context, alice)
    const before = store.calls.length
    using keyrings = new Keyrings(context)
    keyrings.expect(OBJECT)
    for (const key of ["photos/2026/a", "photos/2026/b", "photos/c", "d"]) {
      const expected = key === "d" ? null : [epochs[0]?.kek]
      expect(idsOf(await keyrings.writersFor({ bucket: "vault", key }))).toEqual(expected)
    }
    expect(store.calls.length - before).toBe(3)
  })

  test("is done to the nearest keyring, damaged or not", async () => {
    const store = memoryStore()
    const { context } = await openMachine(store, [alice])
    await init(context, alice)
    const key = "photos/2026/.s3ep/keyring.json"
    await store.put({ bucket: "vault", key }, new Uint8Array(3), { settings: { metadata: {} } })
    await expect(writers(context)).rejects.toThrow(IntegrityError)
    expect(await writers(context, {}, { bucket: "vault", key: "photos/a" })).toHaveLength(1)
  })

  test("goes by a later generation that came about while keys were asked for", async () => {
    const store = memoryStore()
    const { context } = await openMachine(store, [alice])
    await init(context, alice)
    const keys = Promise.withResolvers<typeof context.keys>()
    using keyrings = new Keyrings({ ...context, keys: keys.promise })
    const writing = keyrings.writersFor(OBJECT)
    await new Promise(setImmediate)
    const { epochs } = await newEpoch(context, PLACE)
    keys.resolve(context.keys)
    expect(idsOf(await writing)).toEqual([epochs[1]?.kek])
  })

  test("tells many writers once of a keyring that was never seen", async () => {
    const store = memoryStore()
    await init((await openMachine(store, [alice])).context, alice)
    const { context, notices } = await openMachine(store, [alice])
    using keyrings = new Keyrings(context)
    await Promise.all([1, 2, 3].map((n) => keyrings.writersFor({ bucket: "vault", key: `photos/${n}/a` })))
    expect(notices).toHaveLength(1)
  })

  test("in a long run looks again, and goes by what it finds then", async () => {
    const store = memoryStore()
    let now = Date.UTC(2026, 2, 1)
    const { context } = await openMachine(store, [alice], { clock: { now: () => now } })
    const first = activeEpoch(await init(context, alice)).kek
    using keyrings = new Keyrings(context)
    expect(idsOf(await keyrings.writersFor(OBJECT))).toEqual([first])
    const second = activeEpoch(await newEpoch((await openMachine(store, [alice])).context, PLACE)).kek
    now += 300_000
    expect(idsOf(await keyrings.writersFor(OBJECT))).toEqual([first])
    now += 1
    expect(idsOf(await keyrings.writersFor(OBJECT))).toEqual([second])
    const before = store.calls.length
    expect(idsOf(await keyrings.writersFor(OBJECT))).toEqual([second])
    expect(store.calls).toHaveLength(before)
  })

  test("is tried again after a failure", async () => {
    const store = memoryStore()
    const { context } = await openMachine(store, [alice])
    await init(context, alice)
    let current = faulty(store, { moment: "before", operation: "get" })
    const get: typeof store.get = (...args) => current.get(...args)
    using keyrings = new Keyrings({ ...context, store: { ...current, get } })
    await expect(keyrings.writersFor(OBJECT)).rejects.toThrow(UnavailableError)
    current = store
    expect(await keyrings.writersFor(OBJECT)).toHaveLength(1)
  })

  test("fails where the store does not answer", async () => {
    const down = faulty(memoryStore(), { moment: "before", operation: "get" })
    const { context } = await openMachine(down, [alice])
    await expect(writers(context)).rejects.toThrow(UnavailableError)
  })

  test("goes on, and says so once, where nobody may look and none was seen", async () => {
    const store = memoryStore()
    const error = new DeniedError("access denied")
    const denying = faulty(store, { moment: "before", operation: "get", error })
    const { context, notices } = await openMachine(denying, [alice])
    expect(await writers(context)).toBeNull()
    expect(notices).toHaveLength(1)
    await init({ ...context, store }, alice)
    await expect(writers(context)).rejects.toThrow(DeniedError)
  })

  test("needs a recipient's key, unless it is not asked for", async () => {
    const store = memoryStore()
    await init((await openMachine(store, [alice])).context, alice)
    const { context } = await openMachine(store, [bob])
    await expect(writers(context)).rejects.toThrow(KeyMissingError)
    expect(await writers(context, { readOnly: true })).toBeNull()
  })
})

describe("a keyring that only a public key opens", () => {
  const carol = publicKek(kekOf("carol", 3))
  const setUp = async () => {
    const store = memoryStore()
    const made = await init((await openMachine(store, [bob])).context, bob, carol)
    const machine = await openMachine(store, [carol])
    return { ...machine, store, made }
  }

  test("may be anybody's making: nothing is written to it, not even after something was read", async () => {
    const { context, made } = await setUp()
    const { kek } = activeEpoch(made)
    using keyrings = new Keyrings(context)
    await expect(keyrings.writersFor(OBJECT)).rejects.toThrow(/anybody may have made it/)
    expect(idsOf(await keyrings.readersFor(OBJECT, [recipient(kek)]))).toEqual([kek])
    await expect(writers(context)).rejects.toThrow(KeyMissingError)
    await newEpoch(context, PLACE, { publicKek: async () => publicKek(kekOf("carol", 3)) }).catch(() => null)
    await expect(writers(context)).rejects.toThrow(KeyMissingError)
  })

  test("is written to once somebody said that it is the right one, whatever its generation", async () => {
    const { context, store } = await setUp()
    await trustKeyring(context, PLACE, await fetchKeyring(context, PLACE))
    expect(await writers(context)).toHaveLength(1)
    await change((await openMachine(store, [bob])).context, (change) => change.add({ kek: alice }))
    expect(await writers(context)).toHaveLength(1)
  })

  test("is written to by who made it, and by who has a key that vouches for it", async () => {
    const store = memoryStore()
    const { context } = await openMachine(store, [carol])
    await init(context, carol, alice)
    expect(await writers(context)).toHaveLength(1)
    expect(await writers((await openMachine(store, [carol, alice])).context)).toHaveLength(1)
  })

  test("is written to if its id is named; then no other is, and none is not enough", async () => {
    const { context, made, store } = await setUp()
    expect(await writers(context, { ids: [made.id] })).toHaveLength(1)
    const { context: his } = await openMachine(store, [bob])
    await expect(writers(his, { ids: ["0".repeat(32)] })).rejects.toThrow(IntegrityError)
    const nowhere = { bucket: "vault", key: "elsewhere" }
    await expect(writers(his, { ids: [made.id] }, nowhere)).rejects.toThrow(IntegrityError)
    expect(await writers(his, { ids: [made.id], readOnly: true }, nowhere)).toBeNull()
  })
})

describe("reading", () => {
  test("finds the keyring that has the epoch, however near another one is", async () => {
    const store = memoryStore()
    const { context } = await openMachine(store, [alice])
    const outer = activeEpoch(await init(context, alice)).kek
    const inner = { bucket: "vault", prefix: "photos/2026/" }
    using making = await newKeyring(context, inner, [{ kek: bob }])
    await commitChange(context, making)
    using keyrings = new Keyrings(context)
    expect(idsOf(await keyrings.readersFor(OBJECT, [recipient(outer)]))).toEqual([outer])
    await expect(keyrings.readersFor(OBJECT, [recipient(activeEpoch(making.keyring).kek)])).rejects.toThrow(
      KeyMissingError,
    )
    expect(await keyrings.readersFor(OBJECT, [recipient("aes:nobody")])).toEqual([])
  })

  test("asks for nothing but the keyring, and unwraps what is used alone", async () => {
    const store = memoryStore()
    const { context } = await openMachine(store, [alice])
    await init(context, alice)
    await newEpoch(context, PLACE)
    using open = await openTrusted(context, PLACE)
    const [retired] = open.keyring.epochs
    if (!retired) throw new Error("no epoch")
    using keyrings = new Keyrings(context)
    const [kek] = await keyrings.readersFor(OBJECT, [recipient(retired.kek)])
    const wrapped = await open.kek(retired).wrap(await open.key(retired), new Uint8Array(32), context.random)
    using dek = await kek?.unwrap(wrapped, new Uint8Array(32))
    expect(dek?.bytes).toEqual((await open.key(retired)).bytes)
  })

  test.each([undefined, true])(
    "what is wrapped to a revoked epoch depends on allowRevoked: %s",
    async (allowRevoked) => {
      const store = memoryStore()
      const { context } = await openMachine(store, [alice])
      const { kek } = activeEpoch(await init(context, alice))
      using open = await openTrusted(context, PLACE)
      const [epoch] = open.keyring.epochs
      if (!epoch) throw new Error("no epoch")
      const wrapped = await open.kek(epoch).wrap(await open.key(epoch), new Uint8Array(32), context.random)
      await change(context, (change) => change.move(kek, "revoked"))
      using keyrings = new Keyrings(context, { allowRevoked })
      const [reader] = await keyrings.readersFor(OBJECT, [recipient(kek)])
      const unwrapping = reader?.unwrap(wrapped, new Uint8Array(32))
      if (allowRevoked) expect((await unwrapping)?.length).toBe(32)
      else await expect(unwrapping).rejects.toThrow(/revoked epoch/)
    },
  )
})

describe("what is remembered", () => {
  test("is in files of the owner's own, and says who can open which keyring", async () => {
    const { context, stateDirectory } = await openMachine(memoryStore(), [alice])
    const { id, generation } = await init(context, alice, bob)
    const directory = join(stateDirectory, "keyrings")
    const files = await readdir(directory)
    expect(files).toHaveLength(1)
    for (const file of files) expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600)
    expect(await listSeenKeyrings(stateDirectory)).toMatchObject([
      {
        ...PLACE,
        endpoint: "memory:",
        id,
        generation,
        recipients: [{ kek: alice.id, alg: "HKDF-A256GCM", name: "alice" }, { kek: bob.id }],
      },
    ])
  })

  test("is not what nobody's key opened: that could be anything", async () => {
    const store = memoryStore()
    await init((await openMachine(store, [alice])).context, alice)
    const stranger = await openMachine(store, [bob])
    await expect(openTrusted(stranger.context, PLACE)).rejects.toThrow(KeyMissingError)
    expect(await listSeenKeyrings(stranger.stateDirectory)).toEqual([])
  })

  test("is not taken for nothing when it is damaged", async () => {
    const { context, stateDirectory } = await openMachine(memoryStore(), [alice])
    await init(context, alice)
    const directory = join(stateDirectory, "keyrings")
    const [file = ""] = await readdir(directory)
    const text = await readFile(join(directory, file), "utf8")
    for (const damage of [
      "",
      "null",
      "{}",
      text.slice(0, -5),
      text.replace('"generation":1', '"generation":"1"'),
    ]) {
      await writeFile(join(directory, file), damage)
      await expect(openTrusted(context, PLACE)).rejects.toThrow(LocalIoError)
    }
  })

  test.skipIf(process.getuid?.() === 0)("cannot be written: then a notice says so", async () => {
    const store = memoryStore()
    await init((await openMachine(store, [alice])).context, alice)
    const { context, notices, stateDirectory } = await openMachine(store, [alice])
    await chmod(stateDirectory, 0o500)
    expect(await writers(context)).toHaveLength(1)
    expect(notices.map(({ message }) => message).join()).toContain("is not remembered")
  })
})
