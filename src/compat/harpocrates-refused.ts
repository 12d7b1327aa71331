import { IntegrityError } from "../errors.ts"

/** Which rule a stream or a value of Harpocrates breaks. */
export type HarpocratesReason =
  | "header short"
  | "magic"
  | "version"
  | "chunk size"
  | "record length" // longer than a chunk, or without room for a tag
  | "empty record" // no writer makes one, and the original ends there without a word
  | "short record" // before others
  | "cut" // within a record or its length
  | "tag"
  | "not base64"
  | "value short"

const EXPLANATIONS: Record<HarpocratesReason, string> = {
  "header short": "it ends within its header",
  magic: "it does not begin as an AGCM stream does",
  version: "it is not of AGCM version 1",
  "chunk size": "its header names an impossible chunk size",
  "record length": "a record has an impossible length",
  "empty record": "it has a record without content, which no writer makes",
  "short record": "a record that is shorter than the others does not stand at its end",
  cut: "it ends within a record",
  tag: "a record fails authentication",
  "not base64": "it is not base64",
  "value short": "it is too short to hold a nonce and a tag",
}

/** What no writer of Harpocrates' formats produced for this key. Nothing of the part refused was released. */
export class HarpocratesRefusedError extends IntegrityError {
  readonly reason: HarpocratesReason
  constructor(reason: HarpocratesReason, recordIndex?: number) {
    super(`${EXPLANATIONS[reason]}${recordIndex === undefined ? "" : ` (record ${recordIndex})`}`)
    this.reason = reason
  }
}
