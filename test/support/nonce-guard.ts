import { afterAll, expect } from "vitest"
import { recordCiphers } from "./cipher-recorder.ts"

// Set up for every test file: whatever its tests make the program encrypt, and however they break it, no key and nonce
// come together twice. Layers that are given keys and nonces are left out, as are tests that encrypt by themselves as
// other systems did, and the one that shows that the recorder sees a repetition.

const { testPath = "" } = expect.getState()
const PROGRAM = /\/test\/(unit\/(transfer|rotation|snapshot)|cli|contract)\//
const BY_ITSELF = /\/(nonces|migrate[^/]*|harpocrates[^/]*|[^/]*vectors)\.test\.ts$/

if (PROGRAM.test(testPath) && !BY_ITSELF.test(testPath)) {
  const recording = recordCiphers()
  afterAll(() => {
    recording[Symbol.dispose]()
    expect(new Set(recording.pairs).size, "a key and a nonce were used twice").toBe(recording.pairs.length)
  })
}
