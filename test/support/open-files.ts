import { readdirSync, readlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { setImmediate } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { afterAll, expect } from "vitest"

// Set up for every test file: what its tests open, however they break it, is closed by who opened it. A file that is
// left to the garbage collector, an error in Node 26, would else show only where a collection happens to come before
// the end; one that was opened by its number is left for ever.

const DESCRIPTORS = "/proc/self/fd"

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

const leftOpen: string[] = []
const note = ({ message }: Error) => {
  if (message.includes("on garbage collection")) leftOpen.push(message)
}
process.on("warning", note)

afterAll(async () => {
  collectGarbage()
  // Node tells of each in a turn of the event loop, and of warnings in the next.
  await setImmediate()
  await setImmediate()
  process.off("warning", note)
  expect([...leftOpen, ...(process.platform === "linux" ? openFiles() : [])]).toEqual([])
})

/** Files of tests that are open, where the system tells. */
function openFiles(): string[] {
  return readdirSync(DESCRIPTORS).flatMap((descriptor) => {
    try {
      const path = readlinkSync(`${DESCRIPTORS}/${descriptor}`)
      return path.startsWith(tmpdir()) ? [path] : []
    } catch {
      return [] // that of the listing itself
    }
  })
}
