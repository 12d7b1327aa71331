import { describe, expect, test } from "vitest"
import { UsageError } from "../../../src/errors.ts"
import { keyringAddress, keyringPlace, placesAbove } from "../../../src/keyring/place.ts"

const place = (key: string) => keyringPlace({ bucket: "vault", key }).prefix
const above = (key: string) => placesAbove({ bucket: "vault", key }).map(({ prefix }) => prefix)

test("a target is a prefix, with its slash or without, or the keyring itself", () => {
  expect(["", "photos", "photos/", "photos/.s3ep/keyring.json", ".s3ep/keyring.json"].map(place)).toEqual([
    "",
    "photos/",
    "photos/",
    "photos/",
    "",
  ])
  expect(keyringAddress({ bucket: "vault", prefix: "a/" }).key).toBe("a/.s3ep/keyring.json")
})

test.each([".s3ep/", "a/.s3ep/b", "x/".repeat(16), `${"x".repeat(1010)}/`])(
  "there can be none in %j",
  (key) => {
    expect(() => place(key)).toThrow(UsageError)
  },
)

describe("the places above an object are its prefixes, the nearest first", () => {
  test.each([
    ["a", [""]],
    ["a/b", ["a/", ""]],
    ["a/b/", ["a/b/", "a/", ""]],
    ["a//b", ["a//", "a/", ""]],
    ["/a", ["/", ""]],
  ])("%j", (key, prefixes) => expect(above(key)).toEqual(prefixes))

  test("16 at most, all a keyring can be in", () => {
    const deep = above(`${"x/".repeat(500)}a`)
    expect(deep).toHaveLength(16)
    expect(deep[0]).toBe("x/".repeat(15))
    expect(place("x/".repeat(15))).toBe("x/".repeat(15))
  })
})
