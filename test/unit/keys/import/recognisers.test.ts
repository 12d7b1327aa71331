import { generateKeyPairSync } from "node:crypto"
import fc from "fast-check"
import { expect, test } from "vitest"
import { base64, concat, hex, utf8 } from "../../../../src/bytes.ts"
import { KeyMissingError, S3epError } from "../../../../src/errors.ts"
import { aesFingerprint } from "../../../../src/keys/aes.ts"
import { aesMaterial } from "../../../../src/keys/aes-kind.ts"
import { recogniseKeys } from "../../../../src/keys/import/recognisers.ts"
import { encodeKeyFile } from "../../../../src/keys/key-file.ts"
import { encodePaper } from "../../../../src/keys/paper.ts"
import { renderSheet } from "../../../../src/keys/sheet.ts"
import { exposureOf, secretOf } from "../../../support/secrets.ts"

const place = {
  origin: "the file x",
  unlock: () => Promise.reject(new KeyMissingError("nobody knows the passphrase")),
}
const id = aesFingerprint(secretOf(1))
const facts = { id, created: new Date(0), place: "file", writesOnly: false, publicLine: undefined } as const
const lines = encodePaper({ tag: 1, bytes: secretOf(1) })
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
const AGE = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"

/** One of each form. */
const forms: readonly (readonly [string, Uint8Array])[] = [
  ["raw", secretOf(1).bytes],
  ["hex", utf8(hex(secretOf(1).bytes))],
  ["base64", utf8(base64(secretOf(1).bytes))],
  ["a key file", encodeKeyFile("work", { ...facts, state: "retired" }, aesMaterial(secretOf(1)).text.bytes)],
  ["a typed sheet", utf8(lines.join("\n"))],
  ["a sheet", utf8(renderSheet({ name: "work", id, created: undefined }, lines))],
  ["a private PEM", utf8(String(privateKey.export({ type: "pkcs8", format: "pem" })))],
  ["a public PEM", utf8(String(publicKey.export({ type: "spki", format: "pem" })))],
  [
    "an encrypted PEM",
    utf8(
      String(privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "horse" })),
    ),
  ],
  ["an identity of age", utf8(`# mine\n${AGE}\n`)],
  ["a recipient of age", utf8("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")],
  ["a KMS key", utf8("arn:aws:kms:eu-central-1:111122223333:key/1234abcd")],
  ["an encrypted file of age", utf8("age-encryption.org/v1\n-> scrypt AAAA 18\nAAAA\n--- AAAA\n")],
]

test.each(forms.slice(0, 6))("%s is one key of 256 bits", async (_form, content) => {
  const [key, ...others] = await recogniseKeys(content, place)
  expect([key?.material.id, others]).toEqual([id, []])
})

test("what a key file says comes along", async () => {
  const [, content = new Uint8Array()] = forms.find(([form]) => form === "a key file") ?? []
  expect(await recogniseKeys(content, place)).toMatchObject([
    { name: "work", state: "retired", created: new Date(0) },
  ])
})

test("a key file that holds another key than it says is damaged; one of a keychain holds none", async () => {
  const another = encodeKeyFile("work", { ...facts, state: "active" }, aesMaterial(secretOf(2)).text.bytes)
  await expect(recogniseKeys(another, place)).rejects.toThrow("holds another key than it says")
  const stub = encodeKeyFile("work", { ...facts, state: "active", place: "keychain" }, new Uint8Array(0))
  await expect(recogniseKeys(stub, place)).rejects.toThrow("the keychain of the machine")
})

test.each(forms)(
  "whatever becomes of %s, it is a key or an error that shows nothing of it",
  async (_form, content) => {
    const change = fc.record({
      at: fc.nat(content.length),
      cut: fc.nat(40),
      insert: fc.uint8Array({ maxLength: 8 }),
    })
    await fc.assert(
      fc.asyncProperty(change, async ({ at, cut, insert }) => {
        const changed = concat(content.slice(0, at), insert, content.slice(at + cut))
        try {
          for (const { material } of await recogniseKeys(changed, place)) material[Symbol.dispose]()
        } catch (error) {
          expect(error).toBeInstanceOf(S3epError)
          const shown = exposureOf(error)
          for (const secret of [base64(secretOf(1).bytes), hex(secretOf(1).bytes), AGE]) {
            expect(shown).not.toContain(secret.slice(20, 36))
          }
        }
      }),
      { numRuns: 60 },
    )
  },
)

test("any bytes are a key or no key, and never a bug", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (content) => {
      fc.pre(content.length !== 32)
      await expect(recogniseKeys(content, place)).rejects.toThrow(KeyMissingError)
    }),
  )
})
