import { parseKeys } from "../kinds.ts"
import type { Recogniser } from "./recogniser.ts"

/** A key as its kind writes it: raw, hex or base64, PEM, an identity or a recipient of age, the ARN of a KMS key. */
export const written: Recogniser = async (content, place) =>
  (await parseKeys(content, place)).map((material) => ({ material }))
