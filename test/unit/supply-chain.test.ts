import { readFileSync } from "node:fs"
import { expect, test } from "vitest"

interface Locked {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly hasInstallScript?: boolean
  readonly link?: boolean
}

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")
const manifest: Record<string, Record<string, string | boolean>> = JSON.parse(read("package.json"))
const lock: { packages: Record<string, Locked> } = JSON.parse(read("package-lock.json"))
const locked = Object.entries(lock.packages).filter(([path]) => path !== "")

test("what we depend on is named in exact versions", () => {
  for (const kind of ["dependencies", "optionalDependencies", "devDependencies"]) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+$/)
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version)
    }
  }
})

test("every package has one version and the digest of its content, and names no host", () => {
  expect(locked.length).toBeGreaterThan(100)
  for (const [path, { version, integrity, resolved, link }] of locked) {
    expect(version, path).toMatch(/^\d+\.\d+\.\d+/)
    expect(integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/)
    expect(resolved, path).toBeUndefined()
    expect(link, path).toBeUndefined()
  }
})

test("install scripts are those that ARCHITECTURE.md speaks of", () => {
  const having = locked.flatMap(([path, { hasInstallScript }]) =>
    hasInstallScript ? [path.replace(/^.*node_modules\//, "")] : [],
  )
  const section = read("ARCHITECTURE.md").split("## Install scripts\n")[1]?.split("\n## ")[0] ?? ""
  const spokenOf = [...section.matchAll(/^\| `([^`]+)` \| (yes|no) \|/gm)].map(([, name, runs]) => [
    name,
    runs === "yes",
  ])
  expect(Object.fromEntries(spokenOf)).toEqual(manifest["allowScripts"])
  expect(spokenOf.map(([name]) => name).sort()).toEqual([...new Set(having)].sort())
})

test("no script of ours runs when s3ep is installed", () => {
  for (const name of ["preinstall", "install", "postinstall", "prepare"]) {
    expect(manifest["scripts"]).not.toHaveProperty(name)
  }
})
