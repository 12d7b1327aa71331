import { afterAll, describe, expect, test } from "vitest"
import { S3epError } from "../../src/errors.ts"
import { withRetry } from "../../src/store/retry.ts"
import { createS3Store } from "../../src/store/s3.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import { recordCiphers } from "../support/cipher-recorder.ts"
import { type FaultCommand, type FaultPlace, scenarios } from "../support/fault-scenarios.ts"
import { type FaultWay, seededRandom, waysToFail } from "../support/fault-ways.ts"
import { openSite, type Site } from "../support/site.ts"
import { type Exchange, startTcpProxy, type TcpProxy } from "../support/tcp-proxy/index.ts"

const EMBEDDED_PART_BYTES = 16_384
const REAL_PART_BYTES = 5 * 1024 ** 2
const PATIENT_MS = 20_000
/** Long enough for every answer that comes at all. */
const IMPATIENT_MS = 400

/**
 * Every request that a command makes fails in every way, before and after the store acts. Whatever becomes of that
 * run, running the same command again ends with the same object and leaves nothing else behind, no part is sent
 * twice that had arrived, and no key and nonce are used twice.
 *
 * @param env - says where the server is; the embedded one if it does not.
 * @param share - of all cases, drawn at random: 1 for all of them.
 */
export async function describeFaults(env: NodeJS.ProcessEnv, share: number): Promise<void> {
  const seed = Number(env["S3EP_TEST_SEED"] ?? Date.now() % 1_000_000)
  const random = seededRandom(seed)
  const site = await openSite(env, { minPartBytes: 1 })
  const proxy = await startTcpProxy(site.endpoint)
  const partBytes = site.embedded ? EMBEDDED_PART_BYTES : REAL_PART_BYTES
  const stores = await openStores(site, proxy, partBytes)
  const place: FaultPlace = { bucket: site.bucket, store: stores.direct, partBytes }
  afterAll(async () => {
    for (const store of Object.values(stores)) store.close()
    await proxy[Symbol.asyncDispose]()
    await site[Symbol.asyncDispose]()
  })
  for (const [name, { open, retried }] of Object.entries(scenarios)) {
    const clean = await recorded(open, place, proxy, stores.patient)
    const all = clean.flatMap((exchange) =>
      waysToFail(exchange, random).map((way) => ({ ...way, exchange, retries: retried ?? random() < 0.5 })),
    )
    const first = Math.floor(random() * all.length) // one at least, however small the share
    const cases = all.filter((_, index) => index === first || random() < share)
    describe(`${name} at ${site.embedded ? "the embedded server" : site.endpoint} (S3EP_TEST_SEED=${seed})`, () => {
      test.each(cases.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
        const { exchange, action, retries } = each
        await using command = await open(place)
        using ciphers = recordCiphers()
        proxy.exchanges.length = 0
        proxy.fault = { nth: exchange.index, action }
        const silent = "by" in action && action.by === "silence"
        const store = silent ? stores.impatient : stores.patient
        const failure = await command.run(retries ? retrying(store) : store).then(
          () => null,
          (error: unknown) => error,
        )
        proxy.fault = undefined
        if (failure) {
          // Something a user can act on, and no bug.
          if (!(failure instanceof S3epError)) throw failure
          expect(["S3EP_UNAVAILABLE", "S3EP_DENIED"]).toContain(failure.code)
          await command.run(stores.patient)
        }
        await command.expectOutcome()
        // Whoever waits for nothing may give up on a part that arrives all the same.
        if (!silent) expectNoPartTwice(proxy.exchanges)
        expect(new Set(ciphers.pairs).size).toBe(ciphers.pairs.length)
      })
    })
  }
}

function titleOf({ exchange, name, retries }: FaultWay & { exchange: Exchange; retries: boolean }): string {
  return `${exchange.index}: ${exchange.operation}, ${name}${retries ? ", retried" : ""}`
}

function retrying(store: ObjectStore): ObjectStore {
  return withRetry(store, { delay: async () => undefined, random: () => 0 })
}

async function openStores(
  { endpoint, bucket, env }: Site,
  proxy: TcpProxy,
  minPartBytes: number,
): Promise<Record<"direct" | "patient" | "impatient", ObjectStore>> {
  const open = async (way: string, silenceMs: number): Promise<ObjectStore> => {
    const store = createS3Store({
      endpoint: way,
      region: env["S3EP_REGION"],
      pathStyle: true,
      credentials: {
        accessKeyId: env["AWS_ACCESS_KEY_ID"] ?? "",
        secretAccessKey: env["AWS_SECRET_ACCESS_KEY"] ?? "",
      },
      onNotice: () => undefined,
      timeouts: { connectMs: PATIENT_MS, silenceMs },
    })
    const limits = { ...(await store.limits(bucket)), minPartBytes }
    // One service to the journals, whichever way leads to it.
    return { ...store, endpoint, limits: async () => limits }
  }
  return {
    direct: await open(endpoint, PATIENT_MS),
    patient: await open(proxy.endpoint, PATIENT_MS),
    impatient: await open(proxy.endpoint, IMPATIENT_MS),
  }
}

/** What a run without any fault asks for. */
async function recorded(
  open: (place: FaultPlace) => Promise<FaultCommand>,
  place: FaultPlace,
  proxy: TcpProxy,
  store: ObjectStore,
): Promise<Exchange[]> {
  await using command = await open(place)
  proxy.exchanges.length = 0
  await command.run(store)
  const exchanges = [...proxy.exchanges]
  await command.expectOutcome()
  return exchanges
}

/** A part whose answer has reached us is never sent again. */
function expectNoPartTwice(exchanges: readonly Exchange[]): void {
  const finished = new Set<string>()
  for (const { operation, target, status, delivered } of exchanges) {
    if (operation !== "UploadPart") continue
    expect(finished).not.toContain(target)
    if (status === 200 && delivered) finished.add(target)
  }
}
