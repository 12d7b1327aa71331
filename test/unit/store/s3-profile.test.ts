import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { createS3Store } from "../../../src/store/s3.ts"
import { openS3Fixture } from "../../support/s3-fixture.ts"

const address = { bucket: "vault", key: "a" }
const onNotice = () => undefined
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "s3ep-profile-"))
  for (const name of [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
  ]) {
    vi.stubEnv(name, undefined)
  }
  vi.stubEnv("AWS_CONFIG_FILE", join(directory, "config"))
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(directory, "credentials"))
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true")
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(directory, { recursive: true, force: true })
})

test("a profile gives the credentials, by a command of its own, and the region", async () => {
  const answer = { Version: 1, AccessKeyId: "testkey", SecretAccessKey: "testsecret" }
  await writeFile(join(directory, "answer.json"), JSON.stringify(answer))
  const command = `cat ${join(directory, "answer.json")}`
  const config = `[profile work]\nregion = eu-north-1\ncredential_process = ${command}\n`
  await writeFile(join(directory, "config"), config)
  await using s3 = await openS3Fixture({ region: "eu-north-1", dialect: { foreignRegion: "refused" } })
  const store = createS3Store({ endpoint: s3.server.endpoint, profile: "work", onNotice })
  await store.put(address, Buffer.from("x"), { settings: { metadata: {} } })
  expect(s3.operations()).toEqual(["PutObject"])
  store.close()
})

test("no such profile, and no credentials at all, are denied with what to set", async () => {
  await using s3 = await openS3Fixture()
  for (const profile of ["missing", undefined]) {
    const store = createS3Store({ endpoint: s3.server.endpoint, profile, onNotice })
    await expect(store.head(address)).rejects.toMatchObject({
      name: "DeniedError",
      message: expect.stringContaining("no usable credentials"),
      hint: expect.stringContaining("AWS_PROFILE"),
    })
    store.close()
  }
  expect(s3.operations()).toEqual([])
})

test("the endpoint may come from the environment", async () => {
  await using s3 = await openS3Fixture()
  vi.stubEnv("AWS_ENDPOINT_URL", s3.server.endpoint)
  vi.stubEnv("AWS_ACCESS_KEY_ID", "testkey")
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "testsecret")
  const store = createS3Store({ onNotice })
  expect(store.endpoint).toBe(s3.server.endpoint)
  await store.put(address, Buffer.from("x"), { settings: { metadata: {} } })
  expect(s3.operations()).toEqual(["PutObject"])
  store.close()
})
