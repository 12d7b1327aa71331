import { fromUtf8 } from "../bytes.ts"
import { KeyMissingError } from "../errors.ts"
import type { KekKind } from "./kind.ts"
import { linesOf, publicMaterial } from "./material.ts"

export const KMS_ALG = "AWS-KMS"

// AWS KMS Developer Guide, "Key identifiers": the ARN of a key, not of an alias, which can come to mean another key.
const KEY_ARN = /^arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:key\/[A-Za-z0-9-]{1,128}$/

/** Keys that AWS KMS keeps, named by their ARN. Whether one may be used is for KMS to say. */
export const kmsKind: KekKind = {
  type: "kms",
  alg: KMS_ALG,
  hasPublicPart: true,
  costly: true,
  slow: true,

  hint: (id) => `it was wrapped by a KMS key; name it: --kms-key ${id.slice("kms:".length)}, or S3EP_KMS_KEY`,

  written: {
    async parse(content, { origin }) {
      const lines = linesOf(content) ?? []
      if (!lines.some((line) => line.startsWith("arn:"))) return []
      return lines.map((line) => {
        if (KEY_ARN.test(line)) return publicMaterial(`kms:${line}`, `${line}\n`, { reads: true })
        throw new KeyMissingError(`${origin} is not the ARN of a KMS key`, {
          hint: "it looks like arn:aws:kms:eu-central-1:111122223333:key/…; `aws kms describe-key --key-id alias/NAME` prints it",
        })
      })
    },
    async kek(material, name, sources) {
      using owned = material
      const arn = fromUtf8(owned.text.bytes).trim()
      const region = KEY_ARN.exec(arn)?.[1]
      if (region === undefined) throw new RangeError("not the ARN of a KMS key")
      const { kmsKek } = await import("./kms.ts")
      return kmsKek({ arn, region }, name, sources)
    },
    generate: {},
  },
}
