import { describe, expect, test } from "vitest"
import { S3epError } from "../../../src/errors.ts"
import { downloadStream } from "../../../src/transfer/download-stream.ts"
import {
  type ProxyVector,
  proxyIndex,
  proxyKeysOf,
  proxyVectors,
  storeProxyVector,
} from "../../support/proxy-vectors.ts"
import { digestOf, makeForeignSite } from "./foreign-fixture.ts"

/** Objects without an HMAC: nothing authenticates them, so they open only when that is allowed. */
const UNPROVEN = new Set(
  proxyVectors.filter((vector) => isCtr(vector) && !hasHmac(vector)).map(({ id }) => id),
)

/** What the proxy accepts and cannot be told from a genuine object: it opens, and what is weak about it is told. */
const NOT_TO_BE_TOLD: ReadonlyMap<string, string> = new Map([
  ["tamper-forged-ctr-from-one-leaked-dek", "unauthenticated-dek"],
  ["tamper-forged-gcm-from-one-leaked-dek", "unauthenticated-dek"],
  ["tamper-forged-rsa-gcm-public-key-only", "unauthenticated-dek"],
  ["tamper-hmac-other-key", "unbound-key"],
])

/** Changed where nothing depends on it: the plaintext that comes out is the genuine one. */
const HARMLESS = new Set([
  "tamper-gcm-aes-iv-metadata-changed",
  "tamper-gcm-aes-iv-metadata-removed",
  "tamper-gcm-hmac-added-correct",
  "tamper-gcm-kek-algorithm-wrong",
  "tamper-gcm-unprefixed-metadata",
  "tamper-gcm-dek-algorithm-old-name", // as release 2 wrote it
])

const OTHER_STATUS: ReadonlyMap<string, number> = new Map([["tamper-gcm-unknown-fingerprint", 5]])

/** Encrypted so that nothing can read it back. */
const LOST = "old-v2.1.1-aes-256-multipart-6MiB-parts"

function isCtr({ object, metadataPrefix }: ProxyVector): boolean {
  return Object.entries(object.metadata).some(
    ([name, value]) => name === `${metadataPrefix ?? "s3ep-"}dek-algorithm` && value.endsWith("-ctr"),
  )
}

function hasHmac({ object }: ProxyVector): boolean {
  return Object.keys(object.metadata).some((name) => name.endsWith("hmac"))
}

async function outcomeOf(
  vector: ProxyVector,
  options: { plaintext?: boolean; allowUnauthenticated?: boolean } = {},
) {
  const site = await makeForeignSite()
  const address = await storeProxyVector(site.store, vector)
  const told = new Set<string>()
  const context = site.reading(proxyKeysOf(vector), { ...options, told })
  let released = 0
  const counted = async function* () {
    for await (const piece of downloadStream(context, { address })) {
      released += piece.length
      yield piece
    }
  }
  try {
    return { status: 0, ...(await digestOf(counted())), released, told }
  } catch (error) {
    if (!(error instanceof S3epError)) throw error
    return { status: error.exitCode, released, told }
  }
}

const genuine = proxyVectors.filter(({ kind }) => kind === "positive" || kind === "positive-old-release")
const changed = proxyVectors.filter(({ kind }) => kind === "negative" || kind === "accepted-by-reference")

test("every vector is in one of the lists", () => {
  expect(proxyIndex).toHaveLength(121)
  expect(genuine.length + changed.length + 2).toBe(121) // the fingerprints, and the quirk
})

describe("a genuine object opens", () => {
  const authenticated = genuine.filter(({ id }) => !UNPROVEN.has(id) && id !== "none-100")
  test.each(authenticated.map((vector) => [vector.id, vector] as const))("%s", async (_, vector) => {
    const { sha256, size: bytes } = vector.plaintext ?? {}
    expect(await outcomeOf(vector)).toMatchObject({ status: 0, sha256, bytes })
  })

  const allowed = genuine.filter(({ id }) => UNPROVEN.has(id) && id !== LOST)
  test.each(allowed.map((vector) => [vector.id, vector] as const))(
    "%s, when that is allowed",
    async (_, vector) => {
      const { sha256, size: bytes } = vector.plaintext ?? {}
      expect(await outcomeOf(vector)).toMatchObject({ status: 4, released: 0 })
      expect(await outcomeOf(vector, { allowUnauthenticated: true })).toMatchObject({
        status: 0,
        sha256,
        bytes,
      })
    },
  )

  test("what was not encrypted is passed on when that is said", async () => {
    const vector = proxyVectors.find(({ id }) => id === "none-100") ?? expect.fail("no such vector")
    const { sha256 } = vector.plaintext ?? {}
    expect(await outcomeOf(vector)).toMatchObject({ status: 4, released: 0 })
    expect(await outcomeOf(vector, { plaintext: true })).toMatchObject({ status: 0, sha256 })
  })
})

test(`${LOST} is refused, whatever is allowed`, async () => {
  const vector = proxyVectors.find(({ id }) => id === LOST) ?? expect.fail("no such vector")
  expect(await outcomeOf(vector, { allowUnauthenticated: true })).toMatchObject({ status: 4, released: 0 })
})

test("framing that was encrypted by mistake is taken away", async () => {
  const vector = proxyVectors.find(({ kind }) => kind === "quirk") ?? expect.fail("no such vector")
  const { sha256, size: bytes } = vector.clientPayload ?? {}
  expect(await outcomeOf(vector)).toMatchObject({ status: 0, sha256, bytes })
})

describe("a changed object is refused, and nothing of it is released", () => {
  const refused = changed.filter(({ id }) => !NOT_TO_BE_TOLD.has(id) && !HARMLESS.has(id))
  test.each(refused.map((vector) => [vector.id, vector] as const))("%s", async (id, vector) => {
    expect(await outcomeOf(vector)).toMatchObject({ status: OTHER_STATUS.get(id) ?? 4, released: 0 })
  })
})

describe("a changed object whose plaintext is the genuine one opens", () => {
  test.each([...HARMLESS])("%s", async (id) => {
    const vector = changed.find((vector) => vector.id === id) ?? expect.fail("no such vector")
    const base = proxyVectors.find((other) => other.id === vector.derivedFrom) ?? expect.fail("no base")
    const { sha256 } = base.plaintext ?? {}
    expect(await outcomeOf(vector)).toMatchObject({ status: 0, sha256 })
  })
})

describe("a forgery that nothing tells from a genuine object opens with a warning", () => {
  test.each([...NOT_TO_BE_TOLD])("%s", async (id, code) => {
    const vector = changed.find((vector) => vector.id === id) ?? expect.fail("no such vector")
    const { status, told } = await outcomeOf(vector)
    expect(status).toBe(0)
    expect([...told]).toContain(code)
  })
})
