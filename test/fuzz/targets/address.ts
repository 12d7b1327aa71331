import { parseAddress, parseBucket, parseObject, parsePlace } from "../../../src/cli/address.ts"
import { parseRange } from "../../../src/cli/range.ts"
import { parseAge, parseSize } from "../../../src/config/size.ts"
import { UsageError } from "../../../src/errors.ts"
import { objectUri } from "../../../src/transfer/naming.ts"
import { expecting, textOf } from "../support.ts"

/** What a user types: refused with a rule, or taken literally, so that it reads back as it was written. */
export async function fuzz(data: Uint8Array): Promise<void> {
  const [mode = 0] = data
  const text = textOf(data.subarray(1))
  const given = mode % 2 === 0 ? text : `s3://${text}`
  await expecting([UsageError], () => {
    const place = parsePlace(given)
    if (place.kind !== "object") return
    const { bucket, key } = place.address
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw new Error("not a bucket")
    if (Buffer.byteLength(key) > 1024) throw new Error("too long a key")
    const written = objectUri(place.address)
    const same = written === given || `${written}` === `${given}/`
    if (!same && given.slice(0, 5) === "s3://") throw new Error("not taken literally")
  })
  for (const parse of [parseAddress, parseObject, parseBucket])
    await expecting([UsageError], () => parse(given))
  await expecting([UsageError], () => parseRange(text))
  await expecting([UsageError], () => parseSize(text))
  await expecting([UsageError], () => parseAge(text))
}
