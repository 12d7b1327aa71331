import { join } from "node:path"
import { expect, test } from "vitest"
import { explain } from "../../../src/config/explain.ts"
import { configHome } from "../../support/config-home.ts"

const KEY = Buffer.alloc(32, 0xa5).toString("base64")

test("a profile's members beat the top of its file, and nothing stronger", async () => {
  const { write, resolve } = await configHome()
  const path = await write("work/project/s3ep.json", {
    region: "top",
    storageClass: "STANDARD",
    profiles: { work: { region: "profile", endpoint: "https://work.example" } },
  })
  const { values, origins } = await resolve({
    options: { profile: "work" },
    env: { S3EP_ENDPOINT: "https://env.example" },
  })
  expect(values).toMatchObject({
    region: "profile",
    storageClass: "STANDARD",
    endpoint: "https://env.example",
    awsProfile: undefined,
  })
  expect(origins.region).toEqual({ kind: "project", file: path, profile: "work" })
  expect((await resolve()).values.region).toBe("top")
})

test("a profile may be in the user's config while the project has none of that name", async () => {
  const { write, resolve } = await configHome()
  await write("work/project/s3ep.json", { concurrency: 2 })
  await write(
    ".config/s3ep/config.yaml",
    "profiles:\n  work:\n    kekCommand: pass show work\n    concurrency: 9\n",
  )
  const { values } = await resolve({ env: { S3EP_PROFILE: "work" } })
  expect(values).toMatchObject({ kekCommand: "pass show work", concurrency: 2 })
})

test("a config file may choose the profile, an option another one", async () => {
  const { write, resolve } = await configHome()
  await write(".config/s3ep/config.json", {
    profile: "a",
    profiles: { a: { region: "a" }, b: { region: "b" } },
  })
  expect((await resolve()).values.region).toBe("a")
  expect((await resolve({ options: { profile: "b" } })).values.region).toBe("b")
})

test.each([
  ["config", "[profile billing]\nregion = x\n"],
  ["config", '[ profile "billing" ]\n'],
  ["credentials", "# keys\n[billing]\naws_access_key_id = x\n"],
])("a profile no config file has is AWS's, if ~/.aws/%s has it", async (name, content) => {
  const { write, resolve } = await configHome()
  await write(join(".aws", name), content)
  const { values, origins } = await resolve({
    options: { profile: "billing" },
    env: { AWS_PROFILE: "other" },
  })
  expect(values.awsProfile).toBe("billing")
  expect(origins.awsProfile).toEqual({ kind: "option", option: "--profile" })
})

test("AWS's own variables say where its files are, and a section that is no profile is none", async () => {
  const { home, write, resolve } = await configHome()
  const config = await write("aws-config", "[sso-session corp]\n[profile elsewhere]\n")
  const env = { AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: join(home, "none") }
  expect((await resolve({ options: { profile: "elsewhere" }, env })).values.awsProfile).toBe("elsewhere")
  await expect(resolve({ options: { profile: "corp" }, env })).rejects.toThrow(/no profile "corp"/)
})

test("an AWS profile named for s3ep beats one that follows from S3EP_PROFILE", async () => {
  const { write, resolve } = await configHome()
  await write(".aws/credentials", "[billing]\n")
  const env = { S3EP_PROFILE: "billing", S3EP_AWS_PROFILE: "explicit", AWS_PROFILE: "other" }
  expect((await resolve({ env })).values.awsProfile).toBe("explicit")
  expect((await resolve({ env: { S3EP_PROFILE: "billing", AWS_PROFILE: "other" } })).values.awsProfile).toBe(
    "billing",
  )
})

test("explain shows every setting once, where it came from, and no secret", async () => {
  const { write, resolve } = await configHome()
  const user = await write(".config/s3ep/config.json", {
    region: "u",
    profiles: { work: { concurrency: 4 } },
  })
  const resolved = await resolve({
    options: { profile: "work", progress: false },
    env: { S3EP_KEK: KEY, S3EP_KEK_COMMAND: "vault read -token=s3cr3t key", AWS_REGION: "aws" },
  })
  const rows = explain(resolved)
  const shown = new Map<string, unknown>(rows.map(({ name, value, origin }) => [name, [value, origin]]))
  expect(shown.size).toBe(Object.keys(resolved.values).length)
  expect(shown.get("region")).toEqual(["aws", "environment AWS_REGION"])
  expect(shown.get("concurrency")).toEqual([4, `user config ${user}, profile work`])
  expect(shown.get("progress")).toEqual([false, "option --no-progress"])
  expect(shown.get("kekInline")).toEqual(["[secret]", "environment S3EP_KEK"])
  expect(shown.get("endpoint")).toEqual([null, "default"])
  expect(JSON.stringify(rows)).not.toContain("s3cr3t")
  expect(JSON.stringify(rows)).not.toContain(KEY)
})
