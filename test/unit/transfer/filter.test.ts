import { expect, test } from "vitest"
import { Filter } from "../../../src/transfer/filter.ts"

const paths = [
  "a.txt",
  "a.log",
  "deep/b.txt",
  "deep/keep.log",
  "build/c.txt",
  "../up.txt",
  "/root.txt",
  "x//y.txt",
]

test.each([
  ["everything without patterns", {}, paths],
  ["a name at any depth", { exclude: ["*.log"] }, paths.filter((path) => !path.endsWith(".log"))],
  [
    "a directory and all below it",
    { exclude: ["build/"] },
    paths.filter((path) => !path.startsWith("build/")),
  ],
  [
    "a later pattern that takes one back",
    { exclude: ["*.log", "!keep.log"] },
    paths.filter((p) => p !== "a.log"),
  ],
  ["only what is included", { include: ["deep"] }, ["deep/b.txt", "deep/keep.log"]],
  ["exclusion wins", { include: ["deep"], exclude: ["*.log"] }, ["deep/b.txt"]],
  ["a pattern with a slash is from the root", { include: ["/a.*"] }, ["a.txt", "a.log"]],
  ["case matters", { exclude: ["*.LOG"] }, paths],
])("%s", (_name, patterns, wanted) => {
  const filter = new Filter(patterns)
  expect(paths.filter((path) => filter.wants(path))).toEqual(wanted)
})

test("an empty pattern is refused", () => {
  expect(() => new Filter({ exclude: [" "] })).toThrow(/empty pattern/)
})
