import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import { hex, utf8 } from "../../../src/bytes.ts"
import { S3Sha256 } from "../../../src/store/s3-sha256.ts"

// RFC 4231, "Test Case 2".
const mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
const text = "what do ya want for nothing?"

test.each([
  ["a string", "Jefe"],
  ["bytes", utf8("Jefe")],
  ["a buffer", utf8("Jefe").slice().buffer],
])("HMAC with a key that is %s", async (_, key) => {
  const hmac = new S3Sha256(key)
  hmac.update(text)
  expect(hex(await hmac.digest())).toBe(mac)
  hmac.reset()
  hmac.update(utf8(text.slice(0, 10)))
  hmac.update(utf8(text.slice(10)).slice().buffer)
  expect(hex(await hmac.digest())).toBe(mac)
})

test("without a key it is SHA-256", async () => {
  const hash = new S3Sha256()
  hash.update(new DataView(utf8(text).slice().buffer, 5, 3))
  expect(hex(await hash.digest())).toBe(createHash("sha256").update(text.slice(5, 8)).digest("hex"))
})
