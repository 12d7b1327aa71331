import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { type SettingName, settingRows, settings } from "../../../src/config/settings.ts"
import { serviceNames } from "../../../src/store/services.ts"
import { configHome } from "../../support/config-home.ts"

/** Three values of each setting that are told apart, as text, and what they become. */
function samples(name: SettingName): readonly string[] {
  const { kind } = settings[name]
  if (kind.choices !== undefined) return kind.choices.slice(0, 3)
  switch (kind.metavar) {
    case undefined:
      return ["true", "false", "true"]
    case "SIZE":
      return ["8KiB", "64KiB", "1MiB"]
    case "N":
      return ["1", "2", "3"]
    case "URL":
      return ["https://one.example", "https://two.example", "http://three.example:9000"]
    case "FILE":
    case "DIRECTORY":
    case "RECIPIENT":
      return ["/one", "/two", "/three"]
    case "ID":
      return ["1", "2", "3"].map((digit) => digit.repeat(32))
    case "ARN":
      return ["1", "2", "3"].map((id) => `arn:aws:kms:eu-central-1:111122223333:key/${id}`)
    default:
      return ["one", "two", "three"]
  }
}

type Place = "option" | "variable" | "foreign" | "project" | "user"
const STRONGEST_FIRST: readonly Place[] = ["option", "variable", "foreign", "project", "user"]

/** The places a setting can be given in, but for `config` and `profile`, which need their file. */
function placesOf(name: SettingName): readonly Place[] {
  const { option, variable, foreign, files } = settingRows.find(([row]) => row === name)?.[1] ?? {
    files: "none",
  }
  const possible: Record<Place, boolean> = {
    option: option !== undefined,
    variable: variable !== undefined,
    foreign: foreign !== undefined && name !== "color",
    project: files === "any",
    user: files === "any" || files === "trusted",
  }
  return STRONGEST_FIRST.filter((place) => possible[place])
}

const ordinary = settingRows.map(([name]) => name).filter((name) => name !== "config" && name !== "profile")

test.each(ordinary)("%s: the strongest of those who say something decides", async (name) => {
  const { write, resolve } = await configHome()
  const [first = "", ...others] = samples(name)
  const other = others.find((sample) => sample !== first) ?? ""
  const possible = placesOf(name)
  await fc.assert(
    fc.asyncProperty(fc.subarray([...possible], { minLength: 1 }), async (given) => {
      const [strongest] = given
      const say = (place: Place) => (place === strongest ? first : other)
      const row = settingRows.find(([known]) => known === name)?.[1]
      const member = (place: Place) => (given.includes(place) ? { [name]: say(place) } : {})
      await write("work/project/s3ep.json", member("project"))
      await write(".config/s3ep/config.json", member("user"))
      const env: Record<string, string> = {}
      if (given.includes("variable")) env[row?.variable ?? ""] = say("variable")
      if (given.includes("foreign")) env[row?.foreign?.[0]?.name ?? ""] = say("foreign")
      const options = given.includes("option") ? { [name]: say("option") } : {}

      const { values, origins } = await resolve({ options, env })
      const alone = row?.variable ? { env: { [row.variable]: first } } : { options: { [name]: first } }
      const expected = (await resolve({ ...alone, cwd: "/" })).values[name]
      expect(values[name]).toEqual(expected)
      const kinds: Record<Place, string> = {
        option: "option",
        variable: "environment",
        foreign: "environment",
        project: "project",
        user: "user",
      }
      expect(origins[name].kind).toBe(kinds[strongest ?? "option"])
    }),
    { numRuns: 12 },
  )
})

test("nobody said anything: defaults", async () => {
  const { home, resolve } = await configHome()
  const { values, origins } = await resolve()
  expect(values).toMatchObject({
    checksum: "auto",
    color: "auto",
    json: false,
    progress: true,
    symlinks: "skip",
  })
  expect(values.stateDirectory).toBe(join(home, ".local/state/s3ep"))
  expect(values.keysDirectory).toBe(join(home, ".config/s3ep/keys"))
  expect(values.region).toBeUndefined()
  expect(new Set(Object.values(origins).map(({ kind }) => kind))).toEqual(new Set(["default"]))
})

test("of AWS's variables the more specific decides, and an empty one says nothing", async () => {
  const { resolve } = await configHome()
  const both = { AWS_ENDPOINT_URL_S3: "https://s3.example", AWS_ENDPOINT_URL: "https://all.example" }
  expect((await resolve({ env: both })).values.endpoint).toBe("https://s3.example")
  const empty = { ...both, AWS_ENDPOINT_URL_S3: "", AWS_REGION: "", AWS_DEFAULT_REGION: "eu-south-1" }
  expect((await resolve({ env: empty })).values).toMatchObject({
    endpoint: "https://all.example",
    region: "eu-south-1",
  })
})

test.each([
  [{ NO_COLOR: "1" }, "never"],
  [{ NO_COLOR: "" }, "auto"],
  [{ FORCE_COLOR: "" }, "always"],
  [{ FORCE_COLOR: "0" }, "never"],
  [{ FORCE_COLOR: "3", NO_COLOR: "1" }, "always"],
  [{ S3EP_COLOR: "never", FORCE_COLOR: "1" }, "never"],
])("%j means colour %s", async (env, color) => {
  const { resolve } = await configHome()
  expect((await resolve({ env })).values.color).toBe(color)
})

test("a config file named with --config or S3EP_CONFIG replaces both others", async () => {
  const { home, write, resolve } = await configHome()
  await write("work/project/s3ep.json", { region: "project" })
  await write(".config/s3ep/config.json", { endpoint: "https://user.example" })
  const named = await write("ci/s3ep.yaml", "concurrency: 3\n")
  const byOption = await resolve({ options: { config: "../../ci/s3ep.yaml" } })
  expect(byOption.values).toMatchObject({ concurrency: 3, region: undefined, endpoint: undefined })
  expect(byOption.files).toEqual([named])
  expect(byOption.origins.concurrency).toEqual({ kind: "named", file: named })
  const byVariable = await resolve({ env: { S3EP_CONFIG: "~/ci/s3ep.yaml" } })
  expect(byVariable.values.concurrency).toBe(3)
  expect(byVariable.values.config).toBe(join(home, "ci/s3ep.yaml"))
})

test("paths are relative to where they are written", async () => {
  const { home, project, write, resolve } = await configHome()
  await write("work/.s3eprc", "sseCKeyFile: keys/shared.key\n")
  await write(".config/s3ep/config.yaml", "passphraseFile: pass\nstateDirectory: ~/state\n")
  const { values } = await resolve({ env: { S3EP_KEYS_DIRECTORY: "keys" } })
  expect(values.sseCKeyFile).toBe(join(home, "work/keys/shared.key"))
  expect(values.passphraseFile).toBe(join(home, ".config/s3ep/pass"))
  expect(values.stateDirectory).toBe(join(home, "state"))
  expect(values.keysDirectory).toBe(join(project, "keys"))
})

test("options that are no settings are the command's own", async () => {
  const { resolve } = await configHome()
  const { values } = await resolve({
    options: { recursive: true, region: undefined, json: true, pathStyle: false },
  })
  expect(values).toMatchObject({ json: true, pathStyle: false, region: undefined })
  expect(values).not.toHaveProperty("recursive")
})

test("names may be a list, or separated by commas", async () => {
  const { write, resolve } = await configHome()
  await write("work/project/s3ep.json", { kek: ["work", "backup"] })
  expect((await resolve()).values.kek).toEqual(["work", "backup"])
  expect((await resolve({ env: { S3EP_KEK_NAMES: "work, backup" } })).values.kek).toEqual(["work", "backup"])
  expect((await resolve({ options: { kek: ["one"] } })).values.kek).toEqual(["one"])
})

test("the services are those the store knows", () => {
  expect(settings.service.kind.choices).toEqual(serviceNames)
})

const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)

test.each(settingRows)("the option of %s has the name commander gives it back under", (name, { option }) => {
  expect(option === undefined || option === `--${kebab(name)}`).toBe(true)
})

test("no two settings share an option or a variable", () => {
  const taken = settingRows.flatMap(([, { option, short, variable, foreign = [] }]) =>
    [option, short, variable, ...foreign.map(({ name }) => name)].filter((name) => name !== undefined),
  )
  expect(new Set(taken).size).toBe(taken.length)
})
