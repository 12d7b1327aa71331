import { expect, test } from "vitest"
import { fromUserMetadata, toUserMetadata } from "../../../src/envelope/metadata.ts"
import { UnsupportedError } from "../../../src/errors.ts"
import { type Finding, type OldVersion, oldVersions, proveRotation } from "../../../src/rotation/prove.ts"
import { faulty } from "../../support/faults.ts"
import { memoryLimits } from "../../support/memory-model.ts"
import { memorySite, NOW } from "./rotation-site.ts"

type Site = Awaited<ReturnType<typeof memorySite>>

async function proof(site: Site): Promise<Record<string, string>> {
  const findings: Finding[] = []
  await proveRotation(site.context(), site.request(), [site.old], (finding) => findings.push(finding))
  return Object.fromEntries(findings.map(({ address, kind }) => [address.key, kind]))
}

async function versions(site: Site): Promise<OldVersion[]> {
  const found: OldVersion[] = []
  await oldVersions(site.context(), site.request(), [site.old], (version) => void found.push(version))
  return found
}

test("the old KEK opens what was not moved, and nothing else", async () => {
  const site = await memorySite()
  await site.put("a", "x")
  expect(await proof(site)).toEqual({ a: "open" })
  await site.rotate()
  await site.put("late", "x")
  await site.store.put({ bucket: "vault", key: "readme" }, Buffer.from("x"), { settings: { metadata: {} } })
  const broken = { metadata: { "s3ep-format": "agcm2" } }
  await site.store.put({ bucket: "vault", key: "broken" }, Buffer.from("x"), { settings: broken })
  expect(await proof(site)).toEqual({ a: "closed", late: "open", readme: "foreign", broken: "unknown" })
})

test("a recipient is tried whatever name it bears", async () => {
  const site = await memorySite()
  await site.put("hidden", "x")
  const envelope = fromUserMetadata(site.store.settings("hidden").metadata)
  if (!envelope) throw new Error("no envelope")
  const recipients = envelope.recipients.map((recipient) => ({ ...recipient, kek: site.fresh.id }))
  site.store.amend(
    { bucket: "vault", key: "hidden" },
    { metadata: toUserMetadata({ ...envelope, recipients }, memoryLimits) },
  )
  expect(await proof(site)).toEqual({ hidden: "open" })
})

test("old versions are found, those of deleted objects too, and what locks them", async () => {
  const site = await memorySite({ versioned: true })
  await site.put("a", "x")
  await site.put("held", "x", { legalHold: true })
  await site.put("kept", "x", { retention: { mode: "GOVERNANCE", until: new Date(NOW + 5) } })
  await site.put("deleted", "x")
  await site.store.delete({ bucket: "vault", key: "deleted" })
  await site.rotate()
  expect(await proof(site)).toEqual({ a: "closed", held: "closed", kept: "closed" })
  const found = await versions(site)
  expect(found.map(({ address, lockedUntil }) => [address.key, lockedUntil])).toEqual([
    ["a", null],
    ["deleted", null],
    ["held", "legal hold"],
    ["kept", new Date(NOW + 5)],
  ])
  for (const { address, versionId } of found.slice(0, 2)) await site.store.delete(address, { versionId })
  expect(await versions(site)).toHaveLength(2)
  expect(await site.read("a", [site.fresh])).toBe("x")
})

test("a service without versions has none that could stay open", async () => {
  const site = await memorySite()
  await site.put("a", "x")
  const error = new UnsupportedError("no versions here", { feature: "versions" })
  const store = faulty(site.store, { operation: "listVersions", moment: "before", error })
  const found = await oldVersions(site.context({ store }), site.request(), [site.old], () => undefined)
  expect(found).toBeNull()
})
