import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { readProxyConfig } from "../../../src/config/proxy-config.ts"
import { UsageError } from "../../../src/errors.ts"

const ENV = { KEK: "secret-value", SUFFIX: "tail" }

async function read(yaml: string, env: Record<string, string> = ENV) {
  const directory = await mkdtemp(join(tmpdir(), "s3ep-proxy-"))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, "config.yaml")
  await writeFile(path, yaml)
  return readProxyConfig(path, env)
}

test("the configuration as it is deployed", async () => {
  const config = await read(`
s3_backend: { target_endpoint: "\${NOT_SET}", region: us-east-1 }
encryption:
  encryption_method_alias: current
  metadata_key_prefix: "acme-"
  integrity_verification: strict
  providers:
    - { alias: current, type: aes, description: "\${NOT_SET}", config: { aes_key: "\${KEK}" } }
    - { alias: old, type: rsa, config: { public_key_pem: "a\${SUFFIX}", private_key_pem: "$KEK" } }
    - { alias: plain, type: none }
    - { alias: t, type: tink, config: { kek_uri: gcp-kms://x } }
optimizations: { streaming_threshold: 5242880 }
`)
  expect(config).toMatchObject({
    active: "current",
    prefix: "acme-",
    providers: [
      { type: "aes", alias: "current", aesKey: "secret-value" },
      { type: "rsa", alias: "old", publicKeyPem: "atail", privateKeyPem: "$KEK" },
      { type: "none", alias: "plain" },
      { type: "tink", alias: "t" },
    ],
  })
})

test("the names of members in any case, and a prefix of its own accord", async () => {
  const config = await read("ENCRYPTION: { Providers: [{ ALIAS: a, Type: aes, Config: { Aes_Key: k } }] }")
  expect(config).toMatchObject({ active: null, prefix: "s3ep-", providers: [{ type: "aes", aesKey: "k" }] })
})

describe("what cannot be used", () => {
  const aes = (key: string) =>
    `encryption: { providers: [{ alias: a, type: aes, config: { aes_key: ${key} } }] }`
  test.each([
    ["something else", "region: eu", "there are none"],
    ["a list", "- 1", "expected members"],
    ["no providers", "encryption: { providers: [] }", "there are none"],
    ["a variable that is not set", aes(`"\${NONE}"`), "NONE is not set"],
    ["a variable that is empty", aes(`"x\${EMPTY}"`), "EMPTY is not set"],
    ["a number for a key", aes("12345678"), "expected text"],
    ["no key", "encryption: { providers: [{ alias: a, type: aes }] }", "aes_key: is missing"],
    ["no alias", "encryption: { providers: [{ type: none }] }", "alias: is missing"],
    ["a type nobody knows", "encryption: { providers: [{ alias: a, type: kms }] }", "none of the proxy's"],
    ["what is no YAML", "encryption: [", "cannot parse"],
  ])("%s", async (_, yaml, why) => {
    const refused = read(yaml, { ...ENV, EMPTY: "" })
    await expect(refused).rejects.toThrow(UsageError)
    await expect(refused).rejects.toThrow(why)
  })

  test("and never says what a value is", async () => {
    await expect(read(aes("[secret-value]"))).rejects.not.toThrow("secret-value")
  })
})
