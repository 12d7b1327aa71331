import { IntegrityError } from "../errors.ts"

/** Which rule of the format a stream breaks; the names of the vectors. */
export type RefusalReason =
  | "too short" // less than a header, a tag and a seal
  | "length" // no plaintext length maps to it
  | "magic/version"
  | "geometry" // C or K out of range
  | "segment header" // genuine elsewhere, perhaps, but not here
  | "commitment" // wrong key or damaged header
  | "empty chunk"
  | "tag"
  | "seal"

const EXPLANATIONS: Record<RefusalReason, string> = {
  "too short": "it is too short to be whole",
  length: "its length fits no plaintext: it was cut or padded",
  "magic/version": "it does not begin with an AGCM version 2 header",
  geometry: "its header names impossible chunk sizes",
  "segment header": "a segment is not the one that belongs here",
  commitment: "wrong key or damaged header",
  "empty chunk": "it has an empty chunk where none may be",
  tag: "a chunk fails authentication",
  seal: "its seal does not match: segments of different uploads, or a wrong length",
}

/** Where in the object the reader stopped; both indexes count from 0. */
export interface RefusalPlace {
  readonly segmentIndex?: number | undefined
  /** Within the segment. */
  readonly chunkIndex?: number | undefined
}

/** A stream that is not what a writer of the format produced for this DEK. Nothing of the part refused was released. */
export class RefusedError extends IntegrityError {
  readonly reason: RefusalReason
  readonly place: RefusalPlace
  constructor(reason: RefusalReason, place: RefusalPlace = {}) {
    super(`${EXPLANATIONS[reason]}${describe(place)}`)
    this.reason = reason
    this.place = place
  }
}

function describe({ segmentIndex, chunkIndex }: RefusalPlace): string {
  if (segmentIndex === undefined) return ""
  return chunkIndex === undefined
    ? ` (segment ${segmentIndex})`
    : ` (segment ${segmentIndex}, chunk ${chunkIndex})`
}
