import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { Calls, lstatIfAny, renameFile } from "../../../src/files/calls.ts"

/** Calls that take as long as is said, and where they were made. */
function timed(probed?: number) {
  let clock = 0
  const calls = new Calls(() => clock, probed)
  const make = (milliseconds: number): "here" | "pool" => {
    let where: "here" | "pool" = "here"
    void calls.make(
      () => {
        clock += milliseconds
      },
      async () => {
        where = "pool"
      },
    )
    return where
  }
  const many = (count: number, milliseconds: number) =>
    Array.from({ length: count }, () => make(milliseconds))
  return { calls, many }
}

test("quick calls are made here, and a few that take long change nothing", () => {
  const { many } = timed()
  expect(many(1000, 0.01)).not.toContain("pool")
  expect([...many(3, 5000), ...many(100, 0.01)]).not.toContain("pool")
})

test("once calls wait they are handed over, but for one in many", () => {
  const { many } = timed()
  const [early, late] = [many(100, 1), many(320, 1)]
  expect(early.slice(0, 8)).not.toContain("pool")
  expect(late.filter((where) => where === "here")).toHaveLength(10)
})

test("how many are handed over for each that is not can be chosen", () => {
  const { calls, many } = timed(100)
  expect(calls.areQuick).toBe(true)
  many(100, 1)
  expect(calls.areQuick).toBe(false)
  expect(many(1000, 1).filter((where) => where === "here")).toHaveLength(10)
})

test("when they no longer wait they are made here again", () => {
  const { many } = timed()
  many(1000, 10)
  many(5000, 0.01)
  expect(many(100, 0.01)).not.toContain("pool")
})

test("what a call throws is thrown, and it counts", async () => {
  let clock = 0
  const calls = new Calls(() => clock)
  const failing = () => {
    clock += 2
    throw new Error("no")
  }
  for (let call = 0; call < 5; call++) expect(() => calls.make(failing, async () => "pool")).toThrow("no")
  expect(await calls.make(failing, async () => "pool")).toBe("pool")
})

test("a name is looked at and given to a file, wherever the calls are made", async () => {
  const root = await mkdtemp(join(tmpdir(), "s3ep-calls-"))
  const [from, to] = [join(root, "from"), join(root, "to")]
  await writeFile(from, "content")
  expect(await lstatIfAny(to)).toBeNull()
  await renameFile(from, to)
  expect((await lstatIfAny(to))?.size).toBe(7)
  await expect(renameFile(from, to)).rejects.toMatchObject({ code: "ENOENT" })
  await expect(lstatIfAny(join(to, "below"))).rejects.toMatchObject({ code: "ENOTDIR" })
  await rm(root, { recursive: true })
})
