import { utf8 } from "../../bytes.ts"
import { KeyMissingError } from "../../errors.ts"
import { unpackKey } from "../kinds.ts"
import { decodePaper } from "../paper.ts"
import { keyOfSheet } from "../sheet.ts"
import type { Recogniser } from "./recogniser.ts"

/** A recovery sheet: typed, scanned, or the file it was printed from. */
export const paper: Recogniser = async (content, { origin }) => {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("latin1")
  const onSheet = text.startsWith("<!doctype html>") ? keyOfSheet(text) : null
  const packed = decodePaper(onSheet === null ? content : utf8(onSheet))
  if (!packed) return null
  using bytes = packed.bytes
  const material = await unpackKey(packed.tag, bytes)
  if (material) return [{ material }]
  throw new KeyMissingError(`${origin} is the recovery sheet of a key of a kind this s3ep does not know`, {
    hint: "upgrade s3ep",
  })
}
