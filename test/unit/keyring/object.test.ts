import { describe, expect, test } from "vitest"
import { DeniedError, IntegrityError, PreconditionError, UnavailableError } from "../../../src/errors.ts"
import { newEpoch, openTrusted } from "../../../src/keyring/admin.ts"
import { fetchKeyring } from "../../../src/keyring/object.ts"
import { withRetry } from "../../../src/store/retry.ts"
import { type Fault, faulty } from "../../support/faults.ts"
import { change, init, KEY, kekOf, memoryStore, openMachine, PLACE, plant } from "./keyring-site.ts"

const alice = kekOf("alice", 1)
const admins = [2, 3, 4, 5, 6].map((fill) => kekOf(`admin-${fill}`, fill))

test("two administrators cannot lose each other's change", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  await init(context, alice)
  await Promise.all(
    admins.map(async (kek) => {
      const machine = await openMachine(store, [alice])
      for (;;) {
        try {
          await change(machine.context, (change) => change.add({ kek }))
          return
        } catch (error) {
          if (!(error instanceof PreconditionError)) throw error
        }
      }
    }),
  )
  using open = await openTrusted(context, PLACE)
  expect(open.keyring.generation).toBe(1 + admins.length)
  expect(open.keyring.recipients.map(({ kek }) => kek).sort()).toEqual(
    [alice, ...admins].map(({ id }) => id).sort(),
  )
})

test("who makes a keyring at the same time as another fails, and changes nothing", async () => {
  const store = memoryStore()
  const outcomes = await Promise.allSettled(
    admins.map(async (kek) => init((await openMachine(store, [kek])).context, kek)),
  )
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(PreconditionError)
  }
})

describe.each(["before", "after", "during"] as const)("a connection lost %s the store acts", (moment) => {
  describe.each(["get", "put"] as const)("at a %s", (operation) => {
    test.each([1, 2])(
      "number %i leaves the keyring as it was, or changed, and never in between",
      async (call) => {
        const store = memoryStore()
        const { context } = await openMachine(store, [alice])
        await init(context, alice)
        const fault: Fault = { operation, call, moment }
        const made = await newEpoch({ ...context, store: faulty(store, fault) }, PLACE).catch(
          (error) => error,
        )
        using open = await openTrusted(context, PLACE)
        const { generation } = open.keyring
        if (made instanceof Error) {
          expect(made).toBeInstanceOf(UnavailableError)
          expect(generation).toBe(1)
        } else expect(open.keyring).toEqual(made)
        if (operation === "put" && call === 1) expect(generation).toBe(moment === "before" ? 1 : 2)
      },
    )
  })
})

test("a write whose answer was lost is not taken for somebody else's when it is repeated", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  const lossy = withRetry(faulty(store, { operation: "put", call: 1, moment: "after" }), {
    delay: async () => undefined,
    random: () => 0,
  })
  expect((await init({ ...context, store: lossy }, alice)).generation).toBe(1)
})

test("a write that is repeated over somebody else's of the same generation fails", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  await init(context, alice)
  const rival = await openMachine(store, [alice])
  let puts = 0
  const racing = {
    ...faulty(store, { operation: "listUploads", moment: "before" as const }),
    put: async (...args: Parameters<typeof store.put>) => {
      if (puts++ === 0) {
        await newEpoch(rival.context, PLACE)
        throw new UnavailableError("no answer", { transient: "network" })
      }
      return store.put(...args)
    },
  }
  const lossy = withRetry(racing, { delay: async () => undefined, random: () => 0 })
  await expect(newEpoch({ ...context, store: lossy }, PLACE)).rejects.toThrow(/somebody else changed it/)
  using open = await openTrusted(context, PLACE)
  expect(open.keyring.generation).toBe(2)
})

test("where the service checks no conditions, it is looked before, and a notice says what that is worth", async () => {
  const store = memoryStore({ limits: { conditionalPut: false } })
  const { context, notices } = await openMachine(store, [alice])
  await init(context, alice)
  expect(notices.map(({ message }) => message)).toEqual([expect.stringContaining("checks no conditions")])
  using open = await openTrusted(context, PLACE)
  await newEpoch((await openMachine(store, [alice])).context, PLACE)
  const { changeKeyring, commitChange } = await import("../../../src/keyring/admin.ts")
  using late = changeKeyring(context, open)
  await late.newEpoch()
  await expect(commitChange(context, late)).rejects.toThrow(PreconditionError)
})

test("a keyring that vanished while it was changed is not made again", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  await init(context, alice)
  const failing = change(context, async (change) => {
    await store.delete({ bucket: "vault", key: KEY })
    await change.newEpoch()
  })
  await expect(failing).rejects.toThrow(PreconditionError)
})

test("an object that is no keyring, and one without an end, are refused", async () => {
  const store = memoryStore()
  const { context } = await openMachine(store, [alice])
  await plant(store, "[]")
  await expect(fetchKeyring(context, PLACE)).rejects.toThrow(IntegrityError)
  let given = 0
  const endless = {
    ...faulty(store, { operation: "listUploads", moment: "before" as const }),
    get: async (...args: Parameters<typeof store.get>) => ({
      ...(await store.get(...args)),
      body: (async function* () {
        for (; ; given++) yield new Uint8Array(65_536).fill(0x20)
      })(),
    }),
  }
  await expect(fetchKeyring({ ...context, store: endless }, PLACE)).rejects.toThrow(/is the most/)
  expect(given).toBeLessThan(200)
})

test("what may not be read is denied, not absent", async () => {
  const denied = faulty(memoryStore(), { moment: "before", error: new DeniedError("access denied") })
  const { context } = await openMachine(denied, [alice])
  await expect(fetchKeyring(context, PLACE)).rejects.toThrow(DeniedError)
})
