import { mkdir, readFile, writeFile } from "node:fs/promises"
import { describe, expect, test } from "vitest"
import {
  type ProxyVector,
  proxyBody,
  proxyPlaintext,
  proxyVector,
  storeProxyVector,
} from "../support/proxy-vectors.ts"
import { type CliSite, openCliSite } from "./cli-site.ts"

const GCM = proxyVector("aes-gcm-off-1000-meta")
const CTR = proxyVector("aes-ctr-strict-5000-meta")
const UNPROVEN = proxyVector("aes-ctr-off-5000-meta")
const RSA = proxyVector("rsa-gcm-off-1000")

/** The configuration the proxy of these vectors would have, its secrets in the environment. */
const CONFIG = `
Encryption:
  encryption_method_alias: current
  providers:
    - { alias: current, type: aes, description: text, config: { AES_KEY: "\${PROXY_KEK}" } }
    - alias: old
      type: rsa
      config:
        public_key_pem: "\${PROXY_PUBLIC}"
        private_key_pem: |
${(RSA.kek.privateKeyPem ?? "").replaceAll(/^/gm, "          ")}
    - { alias: plain, type: none }
`

interface ProxySite extends CliSite {
  readonly config: readonly string[]
  readonly env: Record<string, string>
}

async function openProxySite(...vectors: ProxyVector[]): Promise<ProxySite> {
  const site = await openCliSite()
  const path = site.home.path("proxy.yaml")
  await writeFile(path, CONFIG)
  for (const vector of vectors) await storeProxyVector(site.store, vector)
  const env = { PROXY_KEK: GCM.kek.kekBase64 ?? "", PROXY_PUBLIC: RSA.kek.publicKeyPem ?? "" }
  return { ...site, config: ["--proxy-config", path], env }
}

function uriOf({ objectKey }: ProxyVector): string {
  return `s3://vault/${objectKey}`
}

describe("objects of S3 Encryption Proxy", () => {
  test.each([GCM, CTR, RSA].map((vector) => [vector.id, vector] as const))(
    "get writes %s",
    async (_, vector) => {
      const site = await openProxySite(vector)
      const { env, config } = site
      const run = await site.succeed(["get", uriOf(vector), "out", "--json", ...config], { env })
      expect(await readFile(site.home.path("out"))).toEqual(Buffer.from(proxyPlaintext(vector)))
      expect(run.lines[0]).toMatchObject({ type: "fetched", format: "s3-encryption-proxy" })
      expect(run.events.map(({ message }) => message).join("\n")).toContain("wrapped without authentication")
    },
  )

  test("a pipe gets all of it, or a range, only once it is proven", async () => {
    const site = await openProxySite(CTR)
    const { env, config } = site
    const plaintext = Buffer.from(proxyPlaintext(CTR))
    expect((await site.succeed(["get", uriOf(CTR), "-", ...config], { env })).data).toEqual(plaintext)
    const range = ["--range", "17-1039"]
    expect((await site.succeed(["get", uriOf(CTR), "-", ...range, ...config], { env })).data).toEqual(
      plaintext.subarray(17, 1040),
    )
    expect((await site.succeed(["get", uriOf(CTR), "-", "--range", "-9", ...config], { env })).data).toEqual(
      plaintext.subarray(-9),
    )
    site.store.tamper(CTR.objectKey, (data) => data.map((byte, at) => (at === 4999 ? byte ^ 1 : byte)))
    for (const more of [[], range]) {
      const run = await site.run(["get", uriOf(CTR), "-", ...more, ...config], { env })
      expect(run).toMatchObject({ status: 4, stdout: "" })
      expect(run.stderr).toContain("HMAC does not match")
    }
    // What may be released unproven is, and the status says what came of it.
    const hasty = await site.run(["get", uriOf(CTR), "-", "--allow-unauthenticated", ...config], { env })
    expect(hasty.status).toBe(4)
    expect(hasty.data.subarray(0, 4999)).toEqual(plaintext.subarray(0, 4999))
  })

  test("what nothing authenticates is refused unless it is asked for", async () => {
    const site = await openProxySite(UNPROVEN)
    const { env, config } = site
    const get = ["get", uriOf(UNPROVEN), "out", ...config]
    const refused = await site.run(get, { env })
    expect(refused.status).toBe(4)
    expect(refused.stderr).toMatch(/nothing authenticates s3:[\s\S]*hint: --allow-unauthenticated/)
    await expect(readFile(site.home.path("out"))).rejects.toThrow("ENOENT")
    expect((await site.run(["verify", uriOf(UNPROVEN), ...config], { env })).status).toBe(4)
    await site.succeed([...get, "--allow-unauthenticated"], { env })
    expect(await readFile(site.home.path("out"))).toEqual(Buffer.from(proxyPlaintext(UNPROVEN)))
    site.store.calls.length = 0
    const range = ["--range", "100-299", "--allow-unauthenticated"]
    const part = await site.succeed(["get", uriOf(UNPROVEN), "-", ...range, ...config], { env })
    expect(part.data).toEqual(Buffer.from(proxyPlaintext(UNPROVEN).subarray(100, 300)))
    expect(site.store.calls.map((call) => "range" in call && call.range)).toContainEqual({
      start: 100,
      end: 300,
    })
  })

  test("stat says what it is worth, with and without a key", async () => {
    const site = await openProxySite(CTR)
    const { env, config } = site
    const { lines } = await site.succeed(["stat", uriOf(CTR), "--json", ...config], { env })
    expect(lines[0]).toMatchObject({
      format: "s3-encryption-proxy",
      formatTitle: "S3 Encryption Proxy, aes-ctr with HMAC",
      verdict: "weak",
      bytes: 5000,
      openedWith: { id: CTR.kek.fingerprint, name: "current" },
      recipients: [{ kek: CTR.kek.fingerprint, alg: "AES-256-CTR" }],
      metadata: { "my-key": "Value One" },
    })
    const told = await site.succeed(["stat", uriOf(CTR)], { env })
    expect(told.stdout).toMatch(/opened with: +no key at hand/)
    expect(told.stdout).toMatch(/strength: +weak/)
  })

  test("ls shows plaintext sizes and the format, without any key", async () => {
    const site = await openProxySite(GCM, CTR)
    const { lines } = await site.succeed(["ls", "-r", "s3://vault/", "--json"])
    const objects = lines.filter(({ type }) => type === "object")
    expect(objects.map(({ bytes, format }) => ({ bytes, format }))).toEqual(
      [5000, 1000].map((bytes) => ({ bytes, format: "s3-encryption-proxy" })),
    )
    expect((await site.succeed(["ls", "-r", "s3://vault/"])).stdout).toContain("(s3-encryption-proxy)")
  })

  test("verify reads all of it", async () => {
    const site = await openProxySite(GCM, CTR)
    const { env, config } = site
    const run = await site.succeed(["verify", "-r", "s3://vault/", "--json", ...config], { env })
    expect(run.lines.filter(({ type }) => type === "verified")).toEqual([
      expect.objectContaining({ format: "s3-encryption-proxy", verdict: "weak", bytes: expect.any(Number) }),
      expect.objectContaining({ format: "s3-encryption-proxy" }),
    ])
    site.store.tamper(GCM.objectKey, (data) => data.map((byte, at) => (at === 20 ? byte ^ 1 : byte)))
    expect((await site.run(["verify", uriOf(GCM), ...config], { env })).status).toBe(4)
  })

  test("a tree of several formats comes down together", async () => {
    const site = await openProxySite(GCM, CTR)
    const { env, config } = site
    await writeFile(site.home.path("own"), "ours")
    await site.succeed(["put", "own", "s3://vault/own"])
    await site.succeed(["get", "-r", "s3://vault/", "all", ...config], { env })
    expect(await readFile(site.home.path("all/own"), "utf8")).toBe("ours")
    expect(await readFile(site.home.path(`all/${GCM.objectKey}`))).toEqual(Buffer.from(proxyPlaintext(GCM)))
  })

  test("an aes KEK of ours opens them too", async () => {
    const site = await openProxySite(GCM)
    await site.succeed(["get", uriOf(GCM), "out"], { env: { S3EP_KEK: GCM.kek.kekBase64 ?? "" } })
    expect(await readFile(site.home.path("out"))).toEqual(Buffer.from(proxyPlaintext(GCM)))
    const run = await site.run(["get", uriOf(GCM), "out"])
    expect(run.status).toBe(5)
    expect(run.stderr).toMatch(/no key at hand has the fingerprint [\s\S]*hint: .*--proxy-config FILE/)
  })

  test("an RSA KEK of ours opens them too", async () => {
    const site = await openProxySite(RSA)
    await writeFile(site.home.path("rsa.pem"), RSA.kek.privateKeyPem ?? "", { mode: 0o600 })
    await site.succeed(["get", uriOf(RSA), "out", "--identity", "rsa.pem"])
    expect(await readFile(site.home.path("out"))).toEqual(Buffer.from(proxyPlaintext(RSA)))
  })

  test("decrypt opens a copy of one, with what was kept beside it", async () => {
    const site = await openProxySite()
    const { env, config } = site
    for (const vector of [GCM, CTR]) {
      await writeFile(site.home.path("raw"), proxyBody(vector))
      await writeFile(site.home.path("head.json"), JSON.stringify({ Metadata: vector.object.metadata }))
      const object = ["--object-metadata", "head.json", "--object-key", vector.objectKey]
      await site.succeed(["decrypt", "raw", "out", ...object, ...config], { env })
      expect(await readFile(site.home.path("out"))).toEqual(Buffer.from(proxyPlaintext(vector)))
      const piped = await site.succeed(["decrypt", ...object, ...config], { env, stdin: proxyBody(vector) })
      expect(piped.data).toEqual(Buffer.from(proxyPlaintext(vector)))
      const other = ["--object-metadata", "head.json", "--object-key", "another"]
      const moved = await site.run(["decrypt", "raw", "-", ...other, ...config], { env })
      expect(moved.status).toBe(vector === GCM ? 4 : 0)
    }
    expect((await site.run(["decrypt", "raw", "out", "--object-key", "k"])).status).toBe(2)
  })
})

describe("what no format recognises", () => {
  const NONE = proxyVector("none-100")

  test("is never taken for plaintext silently", async () => {
    const site = await openProxySite(NONE)
    const { env, config } = site
    for (const command of [
      ["get", uriOf(NONE), "out"],
      ["get", uriOf(NONE), "-"],
      ["verify", uriOf(NONE)],
      ["stat", uriOf(NONE)],
    ]) {
      const run = await site.run([...command, ...config], { env })
      expect(run).toMatchObject({ status: 4, stdout: "" })
      expect(run.stderr).toContain("in no format that s3ep knows")
    }
    await writeFile(site.home.path("raw"), proxyBody(NONE))
    expect((await site.run(["decrypt", "raw", "out"])).status).toBe(4)
  })

  test("is passed on as it is with --plaintext, and nothing else is", async () => {
    const site = await openProxySite(NONE, GCM)
    const { env, config } = site
    const run = await site.succeed(["get", uriOf(NONE), "out", "--plaintext", "--json", ...config], { env })
    expect(await readFile(site.home.path("out"))).toEqual(Buffer.from(proxyBody(NONE)))
    expect(run.lines[0]).toMatchObject({ format: "plaintext" })
    expect(run.stderr).toContain("passed through as it is")
    const range = await site.succeed(["get", uriOf(NONE), "-", "--plaintext", "--range", "5-9"])
    expect(range.data).toEqual(Buffer.from(proxyBody(NONE).subarray(5, 10)))
    await site.succeed(["get", uriOf(GCM), "out", "--plaintext", ...config], { env })
    expect(await readFile(site.home.path("out"))).toEqual(Buffer.from(proxyPlaintext(GCM)))
    await writeFile(site.home.path("raw"), "as it is")
    expect((await site.succeed(["decrypt", "raw", "-", "--plaintext"])).stdout).toBe("as it is")
  })
})

describe("put --format s3-encryption-proxy", () => {
  const format = ["--format", "s3-encryption-proxy"]

  test("stores files, trees and pipes that come back", async () => {
    const site = await openProxySite()
    const { env, config } = site
    await mkdir(site.home.path("tree/sub"), { recursive: true })
    await writeFile(site.home.path("tree/a"), "first")
    await writeFile(site.home.path("tree/sub/b"), "second")
    const run = await site.succeed(["put", "tree/a", "s3://vault/one", ...format, ...config], { env })
    expect(run.stderr).toContain("weaker than ours")
    await site.succeed(["put", "-r", "tree", "s3://vault/tree/", ...format, ...config], { env })
    await site.succeed(["put", "-", "s3://vault/piped", ...format, ...config], {
      env,
      stdin: Buffer.from("third"),
    })
    for (const [key, content] of [
      ["one", "first"],
      ["tree/a", "first"],
      ["tree/sub/b", "second"],
      ["piped", "third"],
    ] as const) {
      const back = await site.succeed(["get", `s3://vault/${key}`, "-", ...config], { env })
      expect(back.stdout).toBe(content)
      expect(Object.keys(site.store.settings(key).metadata)).toContain("s3ep-encrypted-dek")
    }
    const { lines } = await site.succeed(["stat", "s3://vault/one", "--json", ...config], { env })
    expect(lines[0]).toMatchObject({
      format: "s3-encryption-proxy",
      bytes: 5,
      openedWith: { name: "current" },
    })
  })

  test("takes what the proxy's configuration says, and nothing it could not read back", async () => {
    const site = await openProxySite()
    const { env } = site
    await writeFile(site.home.path("a"), "x")
    const put = ["put", "a", "s3://vault/a", ...format]
    expect((await site.run(put, { env })).stderr).toContain("--proxy-config FILE")
    const aes = `{ alias: current, type: aes, config: { aes_key: "\${PROXY_KEK}" } }`
    for (const [encryption, why] of [
      [`{ encryption_method_alias: plain, providers: [{ alias: plain, type: none }] }`, "encrypts nothing"],
      [
        `{ encryption_method_alias: t, providers: [{ alias: t, type: tink, config: {} }] }`,
        "encrypts nothing",
      ],
      [
        `{ encryption_method_alias: current, metadata_key_prefix: Upper-, providers: [${aes}] }`,
        "lower case",
      ],
      [
        `{ encryption_method_alias: current, metadata_key_prefix: "", providers: [${aes}] }`,
        "needs a prefix",
      ],
      [`{ encryption_method_alias: other, providers: [${aes}] }`, "names no provider"],
      [`{ providers: [${aes}] }`, "is missing"],
    ] as const) {
      await writeFile(site.home.path("proxy.yaml"), `encryption: ${encryption}\n`)
      const run = await site.run([...put, "--proxy-config", "proxy.yaml"], { env })
      expect(run.status).toBe(2)
      expect(run.stderr).toContain(why)
    }
    await writeFile(
      site.home.path("proxy.yaml"),
      `encryption: { encryption_method_alias: current, metadata_key_prefix: acme-, providers: [${aes}] }\n`,
    )
    await site.succeed([...put, "--proxy-config", "proxy.yaml"], { env })
    expect(Object.keys(site.store.settings("a").metadata)).toContain("acme-encrypted-dek")
    const chunks = await site.run([...put, "--proxy-config", "proxy.yaml", "--chunk-size", "4KiB"], { env })
    expect(chunks).toMatchObject({ status: 2, stderr: expect.stringContaining("--chunk-size means nothing") })
  })

  test("keeps what exists with --no-clobber, and does nothing with --dry-run", async () => {
    const site = await openProxySite()
    const { env, config } = site
    await writeFile(site.home.path("a"), "x")
    const put = ["put", "a", "s3://vault/a", ...format, ...config]
    await site.succeed([...put, "--dry-run"], { env })
    expect((await site.run(["stat", "s3://vault/a"], { env })).status).toBe(6)
    await site.succeed(put, { env })
    expect((await site.run([...put, "--no-clobber"], { env })).status).toBe(8)
  })
})
