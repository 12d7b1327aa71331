import { readdirSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"

// What the fuzzer found, and what it begins with: `npm run fuzz` searches on from here.
const fuzzing = new URL("../../fuzz/", import.meta.url)
const targets = readdirSync(new URL("targets/", fuzzing)).map((name) => name.replace(/\.ts$/, ""))

test.each(targets)("the %s reader keeps its promises for every input of its corpus", async (target) => {
  const { fuzz }: { fuzz: (data: Uint8Array) => Promise<void> } = await import(
    new URL(`targets/${target}.ts`, fuzzing).href
  )
  const corpus = new URL(`corpus/${target}/`, fuzzing)
  const names = readdirSync(corpus)
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) {
    await expect(fuzz(new Uint8Array(readFileSync(new URL(name, corpus)))), name).resolves.toBeUndefined()
  }
})
