// Preloaded into a whole run of the program (node --import): writes a digest of every (key, nonce) pair that a
// cipher is created with to the file named by S3EP_TEST_NONCE_LOG, at once, so that a SIGKILL loses none.
import crypto from "node:crypto"
import { appendFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"

const log = process.env.S3EP_TEST_NONCE_LOG
const createCipheriv = crypto.createCipheriv

if (log) {
  crypto.createCipheriv = (algorithm, key, nonce, options) => {
    // A stream cipher reads as it writes: what it is created with says nothing about what was encrypted.
    if (/ctr/i.test(algorithm)) return createCipheriv(algorithm, key, nonce, options)
    const pair = crypto
      .createHash("sha256")
      .update(algorithm)
      .update("\0")
      .update(key instanceof crypto.KeyObject ? key.export() : key)
      .update("\0")
      .update(nonce)
    appendFileSync(log, `${pair.digest("hex")}\n`)
    return createCipheriv(algorithm, key, nonce, options)
  }
  syncBuiltinESMExports()
}
