import { readdirSync, readFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { dirname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"

const root = fileURLToPath(new URL("../../src", import.meta.url))

const BASE = ["begun-stream", "bytes", "errors"]
const FILES = ["files", ...BASE]
const KEYS = ["keys", "crypto", ...FILES]
const ENVELOPE = ["envelope", ...KEYS]
const TRANSFER = ["transfer", "agcm", "compat", "store", ...ENVELOPE]
const LIBRARY = [...TRANSFER, "keyring", "rotation", "snapshot", "config", "index"]

/** The table of layers: which may import which, besides itself. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  bytes: [],
  "begun-stream": ["bytes"],
  crypto: BASE,
  agcm: ["crypto", ...BASE],
  compat: ["agcm", "crypto", ...BASE],
  files: BASE,
  keys: ["crypto", ...FILES],
  envelope: KEYS,
  keyring: [...ENVELOPE, "store"],
  store: FILES,
  transfer: [...ENVELOPE, "agcm", "compat", "store"],
  rotation: [...TRANSFER, "keyring"],
  snapshot: [...TRANSFER, "keyring"],
  config: ["errors"],
  index: LIBRARY,
  cli: LIBRARY,
}

/** Outside packages, and the files each may be imported by. */
const homes: readonly (readonly [packages: RegExp, files: RegExp])[] = [
  [/^@(?:aws-sdk|smithy)\//, /^store\/s3[^/]*\.ts$/],
  [/^(?:cosmiconfig|valibot)$/, /^config\//],
  [/^(?:commander|chalk|cli-progress)$/, /^cli\//],
  [/^ignore$/, /^transfer\//],
  [/^@aws-sdk\/client-kms$/, /^keys\/kms\.ts$/],
  [/^age-encryption$/, /^keys\/age[^/]*\.ts$/],
  [/^@scure\/base$/, /^keys\//],
  [/^(?:keytar|@napi-rs\/keyring)$/, /^keys\/keychain\.ts$/],
  [/^uqr$/, /^keys\/sheet\.ts$/],
]

/** Modules of Node that only compute. */
const PURE: readonly string[] = ["node:crypto", "node:util", "node:zlib"]

interface Import {
  readonly specifier: string
  /** Only a static one runs before the file does, so only those make a cycle; types are gone when compiled. */
  readonly kind: "static" | "dynamic" | "type"
}

const sources = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => path.split(sep).join("/"))
  .sort()
const textOf = (file: string) => readFileSync(join(root, file), "utf8")
const importsOf = new Map(sources.map((file) => [file, readImports(textOf(file))]))

test("there are sources, and every folder of them is in the table", () => {
  expect(sources).toContain("errors.ts")
  expect(sources.map(layerOf).filter((layer) => !Object.hasOwn(mayImport, layer))).toEqual([])
})

describe.each(sources)("%s", (file) => {
  const imports = importsOf.get(file) ?? []

  test("imports only the layers listed for it", () => {
    const layer = layerOf(file)
    const reached = localImports(file).map(layerOf)
    expect(reached.filter((other) => other !== layer && !mayImport[layer]?.includes(other))).toEqual([])
  })

  test("names local files by their own name", () => {
    const local = imports.filter(({ specifier }) => specifier.startsWith("."))
    expect(local.map(({ specifier }) => specifier).filter((name) => !/\.(?:ts|json)$/.test(name))).toEqual([])
  })

  test("imports outside packages only where they are at home", () => {
    const strangers = outsideImports(file).filter(
      (name) => !homes.some(([packages, files]) => packages.test(name) && files.test(file)),
    )
    expect(strangers).toEqual([])
  })
})

describe.each(sources.filter((file) => /^(?:crypto|agcm|compat)\//.test(file)))("%s reaches", (file) => {
  test("no file and no socket", () => {
    const reached = imported(file).filter((name) => name.startsWith("node:"))
    expect(reached.filter((name) => !PURE.includes(name))).toEqual([])
  })
})

describe.each(sources.filter((file) => /^(?:crypto|agcm)\//.test(file)))("%s reaches", (file) => {
  test("no clock, no random number, no process", () => {
    const code = withoutComments(textOf(file))
    const forbidden =
      /\b(?:Date|performance|setTimeout|setInterval|process|fetch|WebSocket|Math\.random|randomBytes|randomInt|randomUUID|randomFill(?:Sync)?|getRandomValues|generateKey\w*|webcrypto)\b/
    expect(forbidden.exec(code)?.[0]).toBeUndefined()
  })
})

test("no import leads back to where it came from", () => {
  const done = new Set<string>()
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) expect.fail(`cycle: ${[...trail.slice(trail.indexOf(file)), file].join(" → ")}`)
    if (done.has(file)) return
    for (const next of localImports(file, { staticOnly: true })) visit(next, [...trail, file])
    done.add(file)
  }
  for (const file of sources) visit(file, [])
})

describe("this test itself", () => {
  test.each([
    ['import { a } from "./a.ts"', [{ specifier: "./a.ts", kind: "static" }]],
    ['import type { A } from "./a.ts"', [{ specifier: "./a.ts", kind: "type" }]],
    ['import {\n  type A,\n  type B,\n} from "./a.ts"', [{ specifier: "./a.ts", kind: "type" }]],
    ['import { type A, b } from "./a.ts"', [{ specifier: "./a.ts", kind: "static" }]],
    ['import "./a.ts"', [{ specifier: "./a.ts", kind: "static" }]],
    [
      'import a, { b } from "a"\nimport * as c from "c"',
      ["a", "c"].map((specifier) => ({ specifier, kind: "static" })),
    ],
    ['export * from "./a.ts"', [{ specifier: "./a.ts", kind: "static" }]],
    ['export type { A } from "./a.ts"', [{ specifier: "./a.ts", kind: "type" }]],
    ['const a = await import("./a.ts")', [{ specifier: "./a.ts", kind: "dynamic" }]],
    ['type A = import("./a.ts").A', [{ specifier: "./a.ts", kind: "dynamic" }]],
    ['// import { a } from "./a.ts"\n/* import "b" */', []],
  ])("sees the imports of %j", (text, expected) => {
    expect(readImports(text)).toEqual(expected)
  })
})

function readImports(text: string): Import[] {
  const code = withoutComments(text)
  const declarations = code.matchAll(
    /^\s*(?:import|export)\s+(type\s+)?((?:[\w$*]+|\{[^}]*\})(?:\s*,\s*(?:\{[^}]*\}|\*))?(?:\s+as\s+[\w$]+)?)\s*from\s*["']([^"']+)["']/gm,
  )
  const found = Array.from(declarations, ([, type, names = "", specifier = ""]) => ({
    specifier,
    kind:
      type !== undefined || /^\{(?:\s*type\s+[^,}]+,?)+\s*\}$/.test(names)
        ? ("type" as const)
        : ("static" as const),
  }))
  const bare = Array.from(code.matchAll(/^\s*import\s*["']([^"']+)["']/gm), ([, specifier = ""]) => specifier)
  const dynamic = Array.from(
    code.matchAll(/\bimport\(\s*["']([^"']+)["']/g),
    ([, specifier = ""]) => specifier,
  )
  return [
    ...found,
    ...bare.map((specifier) => ({ specifier, kind: "static" as const })),
    ...dynamic.map((specifier) => ({ specifier, kind: "dynamic" as const })),
  ]
}

/** Good enough for sources that biome formats: no comment begins inside one of their strings with a space before it. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "$1")
}

function layerOf(file: string): string {
  return file.split("/")[0]?.replace(/\.ts$/, "") ?? file
}

function imported(file: string): string[] {
  return (importsOf.get(file) ?? []).map(({ specifier }) => specifier)
}

function localImports(file: string, { staticOnly = false } = {}): string[] {
  return (importsOf.get(file) ?? [])
    .filter(({ specifier, kind }) => specifier.startsWith(".") && !(staticOnly && kind !== "static"))
    .map(({ specifier }) =>
      relative(root, join(root, dirname(file), specifier))
        .split(sep)
        .join("/"),
    )
}

function outsideImports(file: string): string[] {
  const builtin = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]))
  return imported(file).filter(
    (name) => !name.startsWith(".") && !builtin.has(name) && !name.startsWith("node:"),
  )
}
