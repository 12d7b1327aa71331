import { describe, expect, test } from "vitest"
import { fromUtf8, utf8 } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import {
  IntegrityError,
  KeyMissingError,
  NotFoundError,
  PreconditionError,
  UsageError,
} from "../../../src/errors.ts"
import { newEpoch, openTrusted } from "../../../src/keyring/admin.ts"
import { parseKeyring } from "../../../src/keyring/codec.ts"
import { activeEpoch } from "../../../src/keyring/keyring.ts"
import { fetchKeyring } from "../../../src/keyring/object.ts"
import { passphraseKek } from "../../../src/keys/passphrase.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import { change, init, KEY, kekOf, keysOf, memoryStore, openMachine, PLACE, plant } from "./keyring-site.ts"

const alice = kekOf("alice", 1)
const bob = kekOf("bob", 2)
const carol = kekOf("carol", 3)

test("a new keyring has generation 1, one active epoch, and is open to its recipients", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  const made = await init(context, alice, bob)
  expect(made).toMatchObject({ generation: 1, epochs: [{ state: "active" }] })
  expect(made.recipients.map(({ name }) => name)).toEqual(["alice", "bob"])
  for (const kek of [alice, bob]) {
    using open = await openTrusted({ ...context, keys: keysOf(kek) }, PLACE)
    expect(open.opener.id).toBe(kek.id)
    expect(open.keyring).toEqual(made)
  }
  await expect(openTrusted({ ...context, keys: keysOf(carol) }, PLACE)).rejects.toThrow(KeyMissingError)
})

test("a recipient that was added opens every epoch, and the same KEKs", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  await init(context, alice)
  await newEpoch(context, PLACE)
  const made = await change(context, (change) => change.add({ kek: bob, name: "robert" }))
  expect(made.generation).toBe(3)
  expect(made.recipients.map(({ name }) => name)).toEqual(["alice", "robert"])
  using hers = await openTrusted(context, PLACE)
  using his = await openTrusted({ ...context, keys: keysOf(bob) }, PLACE)
  for (const epoch of made.epochs) {
    expect((await his.key(epoch)).bytes).toEqual((await hers.key(epoch)).bytes)
  }
})

test("a recipient that was removed is in no epoch, and opens no new one", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice, bob])
  await init(context, alice, bob)
  const made = await change(context, async (change) => {
    change.remove(bob.id)
    await change.newEpoch()
  })
  expect(made.epochs.map(({ state }) => state)).toEqual(["retired", "active"])
  expect(made.epochs.flatMap(({ wraps }) => wraps.map(({ kek }) => kek))).toEqual([alice.id, alice.id])
  await expect(openTrusted({ ...context, keys: keysOf(bob) }, PLACE)).rejects.toThrow(KeyMissingError)
})

test("who cannot be wrapped to, since their key is secret and elsewhere, stops a new epoch", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  await init(context, alice, bob)
  const before = store.bytes(KEY)
  await expect(newEpoch(context, PLACE)).rejects.toMatchObject({
    message: expect.stringContaining(`bob (${bob.id})`),
    hint: expect.stringContaining(`s3ep keyring remove s3://vault/photos/ ${bob.id} --new-epoch`),
  })
  expect(store.bytes(KEY)).toEqual(before)
})

test("epochs go from active over retired to revoked, and never back", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  const first = activeEpoch(await init(context, alice)).kek
  const second = activeEpoch(await newEpoch(context, PLACE)).kek
  await change(context, (change) => change.move(first, "revoked"))
  await expect(change(context, (change) => change.move(first, "retired"))).rejects.toThrow(UsageError)
  const third = await change(context, (change) => change.move(second, "revoked"))
  expect(third.epochs.map(({ state }) => state)).toEqual(["revoked", "revoked", "active"])
})

test("refused: the last recipient's removal, a recipient twice, one that is none, an unknown epoch", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  await init(context, alice)
  await expect(change(context, (change) => change.remove(alice.id))).rejects.toThrow(/last recipient/)
  await expect(change(context, (change) => change.remove(bob.id))).rejects.toThrow(/no recipient/)
  await expect(change(context, (change) => change.add({ kek: alice }))).rejects.toThrow(/already/)
  await expect(change(context, (change) => change.move(`aes:${"0".repeat(32)}`, "revoked"))).rejects.toThrow(
    /no epoch/,
  )
  await expect(change(context, (change) => change.add({ kek: bob, name: "b ob" }))).rejects.toThrow(
    UsageError,
  )
})

test("a keyring is made once, and one that is not there cannot be opened", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  await expect(openTrusted(context, PLACE)).rejects.toThrow(NotFoundError)
  await init(context, alice)
  await expect(init(context, alice)).rejects.toThrow(PreconditionError)
})

test("a passphrase has another id for each salt, and stays one recipient", async () => {
  const store = memoryStore()
  const parameters = { passes: 1, memoryKib: 64, lanes: 1 }
  const phrase = (text: string) =>
    passphraseKek(new SecretBytes(utf8(text)), "phrase", { random: systemRandom, parameters })
  const { context } = await openMachine(store, [phrase("correct horse")])
  const [writer] = context.keys.readers
  if (!writer) throw new Error("no key")
  const made = await init(context, writer, alice)
  const again = phrase("correct horse")
  const later = { ...context, keys: keysOf(phrase("another"), again, alice) }
  await expect(change(later, (change) => change.add({ kek: again }))).rejects.toThrow(/already/)
  const renewed = await newEpoch(later, PLACE)
  expect(renewed.recipients.map(({ kek }) => kek)).toEqual([again.id, alice.id])
  expect(made.recipients[0]?.kek).not.toBe(again.id)
  using open = await openTrusted({ ...context, keys: keysOf(phrase("correct horse")) }, PLACE)
  for (const epoch of renewed.epochs) expect((await open.key(epoch)).length).toBe(32)
})

describe("what whoever can write to the bucket may try", () => {
  const setUp = async () => {
    const store = memoryStore()
    const { context } = await openMachine(store, [alice])
    const first = await init(context, alice)
    const firstBytes = store.bytes(KEY)
    return { store, context, first, firstBytes }
  }

  test("an older generation is refused, by those who saw a later one", async () => {
    const { store, context, firstBytes } = await setUp()
    await newEpoch(context, PLACE)
    await plant(store, firstBytes)
    await expect(openTrusted(context, PLACE)).rejects.toThrow(/generation 1, and generation 2 was seen/)
    const { context: stranger } = await openMachine(store, [alice])
    using open = await openTrusted(stranger, PLACE)
    expect(open.keyring.generation).toBe(1)
  })

  test("another keyring, and another one of the same generation, are refused", async () => {
    const { store, context, firstBytes } = await setUp()
    const { context: elsewhere } = await openMachine(memoryStore(), [alice])
    await init(elsewhere, alice)
    const other = await fetchKeyring(elsewhere, PLACE)
    if (!other) throw new Error("no keyring")
    const { context: twin } = await openMachine(store, [alice])
    await change(twin, (change) => change.add({ kek: bob }))
    await plant(store, firstBytes)
    await change(context, (change) => change.add({ kek: carol }))
    await expect(openTrusted(twin, PLACE)).rejects.toThrow(/two of generation 2/)
    const { encodeSealed } = await import("../../../src/keyring/codec.ts")
    await plant(store, encodeSealed(other.keyring))
    await expect(openTrusted(context, PLACE)).rejects.toThrow(/another one/)
  })

  test("a keyring of another prefix is refused", async () => {
    const { store, context, firstBytes } = await setUp()
    const place = { bucket: "vault", prefix: "letters/" }
    await store.put({ bucket: "vault", key: "letters/.s3ep/keyring.json" }, firstBytes, {
      settings: { metadata: {} },
    })
    await expect(openTrusted(context, place)).rejects.toThrow(/belongs under another prefix/)
  })

  test("one that is gone is missed", async () => {
    const { store, context } = await setUp()
    await store.delete({ bucket: "vault", key: KEY })
    await expect(openTrusted(context, PLACE)).rejects.toThrow(IntegrityError)
    await expect(init(context, alice)).rejects.toThrow(/is gone/)
  })

  test("who was removed cannot make an epoch active again that they kept, for those who saw it retired", async () => {
    const { store, context, first, firstBytes } = await setUp()
    const { context: removed } = await openMachine(store, [alice])
    await newEpoch(context, PLACE)
    const later = parseKeyring(store.bytes(KEY))
    await plant(store, firstBytes)
    await change(removed, (change) => change.add({ kek: bob }))
    const forged = await change(removed, (change) => change.add({ kek: carol }))
    expect(forged.generation).toBeGreaterThan(later.generation)
    expect(activeEpoch(forged).kek).toBe(activeEpoch(first).kek)
    await expect(openTrusted(context, PLACE)).rejects.toThrow(IntegrityError)
  })

  test("a stripped recipient and an added one are noticed", async () => {
    const { store, context } = await setUp()
    await change(context, (change) => change.add({ kek: bob }))
    const { recipients, epochs, ...rest } = JSON.parse(fromUtf8(store.bytes(KEY)))
    const { mac, ...head } = rest
    const stripped = {
      ...head,
      recipients: recipients.slice(0, 1),
      epochs: epochs.map((epoch: { wraps: unknown[] }) => ({ ...epoch, wraps: epoch.wraps.slice(0, 1) })),
      mac,
    }
    await plant(store, JSON.stringify(stripped))
    await expect(openTrusted(context, PLACE)).rejects.toThrow(/not what a recipient wrote/)
  })
})
