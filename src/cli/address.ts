import { utf8 } from "../bytes.ts"
import { UsageError } from "../errors.ts"
import type { ObjectAddress } from "../store/store.ts"

/** A place as the user writes it. */
export type Place =
  | { readonly kind: "object"; readonly address: ObjectAddress }
  /** Standard input or output. */
  | { readonly kind: "stdio" }
  | { readonly kind: "path"; readonly path: string }

const SCHEME = "s3://"
const MAX_KEY_BYTES = 1024

/**
 * `s3://bucket/key`, `-`, or else a local path. A key is everything after the bucket's slash, taken literally.
 *
 * @throws {UsageError} naming the rule that a bucket's name or a key breaks.
 */
export function parsePlace(given: string): Place {
  if (given === "-") return { kind: "stdio" }
  if (!/^s3:\/\//i.test(given)) return { kind: "path", path: given }
  const rest = given.slice(SCHEME.length)
  const slash = rest.indexOf("/")
  const bucket = slash < 0 ? rest : rest.slice(0, slash)
  const key = slash < 0 ? "" : rest.slice(slash + 1)
  checkBucket(bucket)
  checkKey(key)
  return { kind: "object", address: { bucket, key } }
}

/** @throws {UsageError} if it does not name something in a bucket. */
export function parseAddress(given: string): ObjectAddress {
  const place = parsePlace(given)
  if (place.kind === "object") return place.address
  throw new UsageError(`${JSON.stringify(given)} is not an address in a bucket`, {
    hint: `write it as s3://BUCKET/${place.kind === "path" && given !== "" ? given.replace(/^\/+/, "") : "KEY"}`,
  })
}

/** @throws {UsageError} if it does not name one object. */
export function parseObject(given: string): ObjectAddress {
  const address = parseAddress(given)
  if (address.key !== "") return address
  throw new UsageError(`${given} names a bucket, not an object`, {
    hint: `add the key: s3://${address.bucket}/KEY`,
  })
}

/** @throws {UsageError} if something comes after the bucket. */
export function parseBucket(given: string): string {
  const { bucket, key } = parseAddress(given)
  if (key === "") return bucket
  throw new UsageError(`${given} names something in a bucket; give the bucket alone`, {
    hint: `s3://${bucket}`,
  })
}

/** Whether an address is a prefix by the way it is written. */
export function isPrefix({ key }: ObjectAddress): boolean {
  return key === "" || key.endsWith("/")
}

/** @throws {UsageError} if a key is over 1,024 bytes or is not Unicode. */
export function checkKey(key: string): void {
  if (!key.isWellFormed()) throw new UsageError("a key must be well-formed Unicode")
  const bytes = utf8(key).length
  if (bytes <= MAX_KEY_BYTES) return
  throw new UsageError(`a key of ${bytes} bytes is too long: ${JSON.stringify(`${key.slice(0, 40)}…`)}`, {
    hint: `S3 takes keys of up to ${MAX_KEY_BYTES} bytes of UTF-8`,
  })
}

/** The rules for general purpose buckets, each with its words. S3 User Guide, "Bucket naming rules". */
const BUCKET_RULES: readonly (readonly [holds: (name: string) => boolean, rule: string])[] = [
  [(name) => name !== "", "give the bucket's name: s3://BUCKET/KEY"],
  [(name) => name.length >= 3 && name.length <= 63, "it must have 3 to 63 characters"],
  [(name) => /^[a-z0-9.-]*$/.test(name), "it may have only lower-case letters, digits, dots and hyphens"],
  [(name) => /^[a-z0-9].*[a-z0-9]$/.test(name), "it must begin and end with a letter or a digit"],
  [(name) => !name.includes(".."), "it must not have two dots in a row"],
  [(name) => !/^\d+\.\d+\.\d+\.\d+$/.test(name), "it must not look like an IP address"],
  [
    (name) => !/^(?:xn--|sthree-|amzn-s3-demo-)/.test(name),
    "it must not begin with xn--, sthree- or amzn-s3-demo-",
  ],
  [
    (name) => !/(?:-s3alias|--ol-s3|\.mrap|--table-s3)$/.test(name),
    "it must not end with -s3alias, --ol-s3, .mrap or --table-s3",
  ],
]

function checkBucket(name: string): void {
  const broken = BUCKET_RULES.find(([holds]) => !holds(name))
  if (broken) throw new UsageError(`${JSON.stringify(name)} cannot be the name of a bucket: ${broken[1]}`)
}
