import type { Bucket } from "./bucket.ts"
import { refuseIf, S3Error } from "./errors.ts"
import type { ObjectVersion, Retention } from "./model.ts"

type Headers = ReadonlyMap<string, string>

const DAY_MS = 24 * 3600 * 1000

/** @throws {S3Error} unless the mode is known and the date lies ahead. */
export function parseRetention(
  mode: string | undefined,
  until: string | undefined,
  nowMs: number,
): Retention {
  if (mode !== "GOVERNANCE" && mode !== "COMPLIANCE")
    throw new S3Error("InvalidArgument", "Unknown wormMode directive.")
  const untilMs = Date.parse(until ?? "")
  refuseIf(!(untilMs > nowMs), "InvalidArgument", "The retain until date must be in the future!")
  return { mode, untilMs }
}

/** @throws {S3Error} InvalidRequest if the bucket has no Object Lock. */
export function requireObjectLock(bucket: Bucket): void {
  refuseIf(!bucket.configuration.objectLock, "InvalidRequest", "Bucket is missing Object Lock Configuration")
}

/** What a write asks for. */
export function readLock(
  headers: Headers,
  bucket: Bucket,
  nowMs: number,
): { retention: Retention | undefined; legalHold: boolean } {
  const mode = headers.get("x-amz-object-lock-mode")
  const until = headers.get("x-amz-object-lock-retain-until-date")
  const hold = headers.get("x-amz-object-lock-legal-hold")
  if ((mode ?? until ?? hold) === undefined) return { retention: undefined, legalHold: false }
  requireObjectLock(bucket)
  refuseIf(
    hold !== undefined && hold !== "ON" && hold !== "OFF",
    "InvalidArgument",
    "Legal Hold must be ON or OFF",
  )
  const retention = (mode ?? until) === undefined ? undefined : parseRetention(mode, until, nowMs)
  return { retention, legalHold: hold === "ON" }
}

/** What the bucket's rule gives a new object. */
export function defaultRetention(bucket: Bucket, nowMs: number): Retention | undefined {
  const rule = bucket.configuration.defaultRetention
  return rule === undefined ? undefined : { mode: rule.mode, untilMs: nowMs + rule.days * DAY_MS }
}

/** @throws {S3Error} AccessDenied while a version may not be deleted, or its retention not be shortened. */
export function checkUnlocked(version: ObjectVersion, headers: Headers, nowMs: number): void {
  const { retention, legalHold } = version.attributes
  const bypass = headers.get("x-amz-bypass-governance-retention")?.toLowerCase() === "true"
  const held =
    retention !== undefined && retention.untilMs > nowMs && !(retention.mode === "GOVERNANCE" && bypass)
  refuseIf(held || legalHold, "AccessDenied", "Access Denied because object protected by object lock.")
}
