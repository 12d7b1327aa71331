import { createHook } from "node:async_hooks"
import { setTimeout as delay } from "node:timers/promises"
import { expect, onTestFinished, test, vi } from "vitest"
import { rouseThreadPool } from "../../src/cli/thread-pool.ts"

/** @returns how many calls to the file system were handed to the pool since. */
function countCalls(): () => number {
  let calls = 0
  const hook = createHook({
    init(_, type) {
      if (type === "FSREQCALLBACK") calls += 1
    },
  }).enable()
  onTestFinished(() => void hook.disable())
  return () => calls
}

test("the pool is given something to do again and again, until that is over", async () => {
  const calls = countCalls()
  {
    using _ = rouseThreadPool(1)
    await vi.waitFor(() => expect(calls()).toBeGreaterThan(3))
  }
  const before = calls()
  await delay(20)
  expect(calls()).toBe(before)
})
