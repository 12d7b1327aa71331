import { readdir, writeFile } from "node:fs/promises"
import { Writable } from "node:stream"
import { expect, test } from "vitest"
import type { StopSignal } from "../../src/cli/io.ts"
import { Meter } from "../../src/cli/meter.ts"
import { watchSignals } from "../../src/cli/signals.ts"
import { faulty } from "../support/faults.ts"
import { Collector, SignalSender } from "../support/run-cli.ts"
import { typist } from "../support/typist.ts"
import { openCliSite } from "./cli-site.ts"

test("a passphrase is asked for twice to encrypt and once to decrypt, and never shown", async () => {
  const site = await openCliSite()
  await writeFile(site.home.path("notes"), "notes")
  const writing = typist(["correct horsX\u007fe\r", "correct horse\r"])
  const encrypted = await site.run(["encrypt", "-p", "notes", "notes.s3ep"], {
    stdin: writing.keyboard,
    stderr: writing.screen,
  })
  expect(encrypted.status).toBe(0)
  expect(writing.keyboard.rawModes).toEqual([true, false, true, false])
  expect(writing.screen.text()).not.toContain("horse")
  const reading = typist(["correct horse\r"])
  const { stdout } = await site.run(["decrypt", "-p", "notes.s3ep"], {
    stdin: reading.keyboard,
    stderr: reading.screen,
  })
  expect(stdout).toBe("notes")
})

test.each([
  ["two that differ", ["one\r", "two\r"], 5],
  ["Ctrl-C", ["one\u0003"], 130],
  ["Ctrl-D", ["\u0004"], 5],
])("%s at the prompt", async (_name, answers, status) => {
  const site = await openCliSite()
  await writeFile(site.home.path("notes"), "notes")
  const { keyboard, screen } = typist(answers)
  const run = await site.run(["encrypt", "-p", "notes", "notes.s3ep"], { stdin: keyboard, stderr: screen })
  expect(run.status).toBe(status)
  expect(await readdir(site.home.directory)).not.toContain("notes.s3ep")
})

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s stops the work, keeps what was done and says how to go on", async (name, status) => {
  const site = await openCliSite()
  await writeFile(site.home.path("big"), Buffer.alloc(11 * 1024 * 1024))
  const signals = new SignalSender()
  const store = faulty(site.store, { moment: "before", operation: "uploadPart", call: 2 })
  const held = { ...store, uploadPart: interrupting(store.uploadPart, () => signals.send(name)) }
  const run = await site.run(
    ["mp-upload", "big", "s3://vault/", "--part-size", "5MiB", "--concurrency", "1"],
    {
      store: held,
      signals,
    },
  )
  expect(run.status).toBe(status)
  expect(run.stderr).toMatch(new RegExp(`^s3ep: error: interrupted by ${name}\ns3ep: hint: .*resume`, "m"))
  expect(site.store.uploads.size).toBe(1)
  const resumed = await site.succeed(["mp-upload", "resume", "--all", "--json"])
  expect(resumed.lines[0]).toEqual(
    expect.objectContaining({ type: "stored", uri: "s3://vault/big", parts: 3 }),
  )
  expect(site.store.uploads.size).toBe(0)
})

function interrupting<A extends unknown[], R>(
  act: (...args: A) => Promise<R>,
  interrupt: () => void,
): (...args: A) => Promise<R> {
  let calls = 0
  return async (...args) => {
    calls++
    if (calls === 2) interrupt()
    return act(...args)
  }
}

test("work that does not stop is ended after the grace; a second signal ends it at once", async () => {
  const site = await openCliSite()
  const signals = new SignalSender()
  const exits: number[] = []
  const { promise: stuck, resolve: release } = Promise.withResolvers<void>()
  const store = {
    ...faulty(site.store, { moment: "before", call: -1 }),
    delete: async () => {
      signals.send("SIGINT")
      await stuck
    },
  }
  const finished = site.run(["rm", "s3://vault/a"], {
    store,
    signals,
    delay: async (milliseconds) => {
      if (milliseconds > 2000) return new Promise(() => undefined)
    },
    exit: (status) => {
      exits.push(status)
      if (exits.length === 1) signals.send("SIGTERM")
      else release()
    },
  })
  expect((await finished).stderr).toContain("interrupted by SIGINT")
  expect(exits).toEqual([130, 143])
})

test.each([
  [99, 0],
  [100, 1],
])("the same signal after %i ms ends the work %i times", async (afterMs, ends) => {
  let now = 0
  let send: (name: StopSignal) => void = () => undefined
  const exits: number[] = []
  using interruption = watchSignals(
    {
      onSignal: (handler) => {
        send = handler
        return () => undefined
      },
      clock: { now: () => now, delay: () => new Promise(() => undefined) },
      exit: (status) => exits.push(status),
    },
    () => undefined,
  )
  send("SIGINT")
  expect(interruption.signal.aborted).toBe(true)
  now += afterMs
  send("SIGINT")
  expect(exits).toHaveLength(ends)
})

test("a signal while interrupted work goes down ends it with its status", () => {
  let send: (name: StopSignal) => void = () => undefined
  const exits: number[] = []
  const ends: Error[] = []
  let connected = true
  const io = {
    onSignal: (handler: (name: StopSignal) => void) => {
      send = handler
      return () => {
        connected = false
      }
    },
    clock: { now: () => 0, delay: () => new Promise<void>(() => undefined) },
    exit: (status: number) => void exits.push(status),
  }
  watchSignals(io, (error) => ends.push(error))[Symbol.dispose]()
  expect(connected).toBe(false)
  connected = true
  const interruption = watchSignals(io, (error) => ends.push(error))
  send("SIGINT")
  interruption[Symbol.dispose]()
  expect(connected).toBe(true)
  send("SIGTERM")
  expect(exits).toEqual([143])
  expect(ends).toEqual([])
})

test("a reader that goes away ends the program quietly", async () => {
  const site = await openCliSite()
  await site.succeed(["put", "-", "s3://vault/a"], { stdin: Buffer.alloc(1_000_000) })
  const files = await readdir(site.home.directory, { recursive: true })
  class Closed extends Writable {
    override _write(_piece: Buffer, _encoding: string, done: (error: Error) => void): void {
      done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }))
    }
  }
  for (const argv of [
    ["get", "s3://vault/a", "-"],
    ["ls", "s3://vault"],
  ]) {
    const { status, stderr } = await site.run(argv, { stdout: new Closed() })
    expect({ status, stderr }).toEqual({ status: 141, stderr: "" })
  }
  expect(await readdir(site.home.directory, { recursive: true })).toEqual(files)
})

test("colour follows --color, then FORCE_COLOR and NO_COLOR, then the terminal", async () => {
  const site = await openCliSite()
  const coloured = async (argv: string[], env: Record<string, string>, isTTY: boolean) => {
    const stderr = new Collector({ isTTY })
    await site.run(["get", "s3://vault/none", "-", ...argv], { env, stderr })
    return stderr.text().includes("\u001b[")
  }
  expect(await coloured([], {}, true)).toBe(true)
  expect(await coloured([], {}, false)).toBe(false)
  expect(await coloured([], { NO_COLOR: "1" }, true)).toBe(false)
  expect(await coloured([], { FORCE_COLOR: "1" }, false)).toBe(true)
  expect(await coloured(["--color", "never"], { FORCE_COLOR: "1" }, true)).toBe(false)
  expect(await coloured(["--color=always"], { NO_COLOR: "1" }, false)).toBe(true)
})

test("progress: a line every five seconds without a terminal, JSON lines with --json, nothing with -q", async () => {
  const site = await openCliSite()
  const shown = async (argv: string[]) => {
    let ticks = 0
    const run = await site.succeed(["put", "-", "s3://vault/a", ...argv], {
      stdin: Buffer.alloc(1000),
      delay: (_milliseconds, signal) =>
        ++ticks < 3
          ? Promise.resolve()
          : new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
    })
    return run.stderr
  }
  expect(await shown([])).toMatch(/^s3ep: -: \d.* bytes.*\/s/m)
  expect(await shown(["--json"])).toMatch(/"type":"progress"/)
  expect(await shown(["-q"])).toBe("")
  expect(await shown(["--no-progress"])).toBe("")
})

test("the meter counts what an earlier run did, work done over, and several items", () => {
  let now = 0
  const meter = new Meter(() => now)
  meter.handle({ type: "started", item: "a", bytes: 100, doneBytes: 40, parts: 10 })
  now = 2000
  meter.handle({ type: "advanced", item: "a", bytes: 30 })
  meter.handle({ type: "advanced", item: "a", bytes: -10 })
  meter.handle({ type: "part", item: "a", partNumber: 5 })
  expect(meter.read()).toEqual({
    items: 1,
    doneItems: 0,
    current: "a",
    doneBytes: 60,
    totalBytes: 100,
    bytesPerSecond: 10,
    remainingSeconds: 4,
    doneParts: 5,
    totalParts: 10,
    retries: 0,
  })
  meter.handle({ type: "started", item: "b", bytes: undefined, doneBytes: 0, parts: undefined })
  expect(meter.read()).toEqual(
    expect.objectContaining({ items: 2, totalBytes: undefined, current: undefined }),
  )
})
