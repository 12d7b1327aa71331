import { expect, test } from "vitest"
import { KeyMissingError } from "../../../src/errors.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import type { Kek } from "../../../src/keys/kek.ts"
import { needsOnly } from "../../../src/keys/need.ts"
import { passphraseKek } from "../../../src/keys/passphrase.ts"
import { brokenKek } from "../../../src/keys/stored.ts"
import { CHEAP_ARGON2, countingRandom, secretOf, secretText } from "../../support/secrets.ts"

const kek = (seed: number) => aesKek(secretOf(seed), `key ${seed}`)
const context = secretOf(9).bytes
const random = countingRandom()

/** Something wrapped to these. */
async function needOf(what: string, ...keks: Kek[]) {
  const recipients = []
  for (const one of keks) recipients.push(await one.wrap(secretOf(8), context, random))
  return { what, recipients }
}

test("what only the key opens needs it, and nothing else does", async () => {
  const [mine, other] = [kek(1), kek(2)]
  const passphrase = passphraseKek(secretText("horse"), "passphrase-file", {
    random,
    parameters: CHEAP_ARGON2,
  })
  const needs = [
    await needOf("mine alone", mine),
    await needOf("both", mine, other),
    await needOf("the other's", other),
    await needOf("a stranger's too", mine, kek(3)),
    await needOf("a passphrase's too", mine, passphrase),
  ]
  const named = (others: Kek[]) => needsOnly(mine.id, others, needs).map(({ what }) => what)
  const alone = ["mine alone", "both", "a stranger's too", "a passphrase's too"]
  expect(named([])).toEqual(alone)
  expect(named([mine])).toEqual(alone)
  expect(named([mine, other])).toEqual(["mine alone", "a stranger's too", "a passphrase's too"])
  expect(named([mine, other, passphrase])).toEqual(["mine alone", "a stranger's too"])
})

test("a public key, and a file that cannot be read, open nothing", async () => {
  const [mine, other] = [kek(1), kek(2)]
  const needs = [await needOf("both", mine, other)]
  const writer: Kek = {
    ...other,
    id: other.id,
    matches: (recipient) => other.matches(recipient),
    writesOnly: true,
  }
  const broken = brokenKek({ name: "bad", path: "bad.key", error: new KeyMissingError("unreadable") })
  expect(needsOnly(mine.id, [writer, broken], needs)).toHaveLength(1)
  expect(needsOnly(mine.id, [other], needs)).toEqual([])
})
