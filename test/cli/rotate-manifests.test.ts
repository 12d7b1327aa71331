import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { defaultLoaders } from "cosmiconfig"
import { expect, onTestFinished, test } from "vitest"
import { MemoryStore } from "../support/memory-store.ts"
import { type Home, openHome, type Run, runCli } from "../support/run-cli.ts"

const README = fileURLToPath(new URL("../../README.md", import.meta.url))
const OBJECTS = 12

/** The code blocks of the chapter on rotating keys, and its text. */
async function chapter(): Promise<{ text: string; yaml: string; json: string }> {
  const text = (await readFile(README, "utf8")).split("\n## Rotating keys\n")[1]?.split("\n## ")[0] ?? ""
  const block = (language: string) => new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(text)?.[1] ?? ""
  return { text, yaml: block("yaml"), json: block("json") }
}

interface Machine {
  readonly home: Home
  run(args: readonly string[], env?: Readonly<Record<string, string>>, stdin?: Buffer): Promise<Run>
  succeed(args: readonly string[], env?: Readonly<Record<string, string>>, stdin?: Buffer): Promise<Run>
}

/** Objects under the key that the manifests move away from, and both keys. */
async function openMachine(): Promise<Machine> {
  const home = await openHome()
  onTestFinished(() => home[Symbol.asyncDispose]())
  const store = new MemoryStore()
  const run: Machine["run"] = (args, env, stdin) => runCli(args, { home, store, env, stdin })
  const succeed: Machine["succeed"] = async (args, env, stdin) => {
    const result = await run(args, env, stdin)
    if (result.status !== 0) throw new Error(`status ${result.status}: ${result.stderr}`)
    return result
  }
  for (const name of ["key-2025", "key-2026"]) await succeed(["keys", "generate", name])
  for (let index = 0; index < OBJECTS; index += 1) {
    const put = ["put", "-", `s3://vault/${index}`, "--kek", "key-2025"]
    await succeed(put, {}, Buffer.from(`object ${index}`))
  }
  return { home, run, succeed }
}

/** Runs every shard as its environment tells it, then what the README says comes last. */
async function expectRotation(
  machine: Machine,
  args: readonly string[],
  shards: number,
  envOf: (index: number) => Record<string, string>,
): Promise<void> {
  const { text } = await chapter()
  const last = [
    ...text.matchAll(/^ {4}s3ep (rotate-key .*--merge \d+)$/gm),
    ...text.matchAll(/^ {4}s3ep (rotate-key .*--prove)$/gm),
  ]
  const [merge, prove] = last.map(([, line = ""]) => line.split(/ +/))
  if (!merge || !prove) throw new Error("the README does not say what comes last")
  expect(Number(merge.at(-1))).toBe(shards)
  let moved = 0
  for (let index = 0; index < shards; index += 1) {
    expect((await machine.run(merge)).status).toBe(3)
    const { lines } = await machine.succeed([...args, "--json"], envOf(index))
    moved += lines.filter(({ type }) => type === "rotated").length
  }
  expect(moved).toBe(OBJECTS)
  await machine.succeed(merge)
  await machine.succeed(prove)
}

test("the Kubernetes Job of the README rotates", async () => {
  const { yaml } = await chapter()
  const job = defaultLoaders[".yaml"]("job.yaml", yaml)
  expect(job).toMatchObject({ apiVersion: "batch/v1", kind: "Job", spec: { completionMode: "Indexed" } })
  const { completions, template } = job.spec
  const [container] = template.spec.containers
  expect(container.env).toEqual([{ name: "S3EP_KEYS_DIRECTORY", value: "/keys" }])
  expect(template.spec.volumes[0].secret.defaultMode).toBe(0o400)
  const machine = await openMachine()
  const keys = machine.home.path("config/s3ep/keys")
  await expectRotation(machine, container.args, completions, (index) => ({
    S3EP_KEYS_DIRECTORY: keys,
    JOB_COMPLETION_INDEX: String(index),
  }))
})

test("the AWS Batch job definition of the README rotates", async () => {
  const { json, text } = await chapter()
  const definition = JSON.parse(json)
  expect(definition).toMatchObject({ type: "container", jobDefinitionName: "rotate-key" })
  const { command, environment, mountPoints } = definition.containerProperties
  expect(environment).toEqual([{ name: "S3EP_KEYS_DIRECTORY", value: mountPoints[0].containerPath }])
  const size = Number(/--array-properties size=(\d+)/.exec(text)?.[1])
  const machine = await openMachine()
  const keys = machine.home.path("config/s3ep/keys")
  await expectRotation(machine, command, size, (index) => ({
    S3EP_KEYS_DIRECTORY: keys,
    AWS_BATCH_JOB_ARRAY_INDEX: String(index),
    AWS_BATCH_JOB_ARRAY_SIZE: String(size),
  }))
})
