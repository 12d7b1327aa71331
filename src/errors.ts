/** How an error is made: the original goes into `cause`, the way out into `hint`. */
export interface S3epErrorOptions extends ErrorOptions {
  hint?: string | undefined
}

/** A failure the user can act on. Anything else reaching main() is a bug and prints its stack. */
export abstract class S3epError extends Error {
  /** Stable identifier for scripts and tests; the wording of `message` stays free to improve. */
  abstract readonly code: string
  /** Process exit status, listed in s3ep(1): add new ones, never renumber. */
  abstract readonly exitCode: number
  readonly hint: string | undefined
  constructor(message: string, options: S3epErrorOptions = {}) {
    super(message, options)
    this.name = new.target.name
    this.hint = options.hint
  }
}

/** The command line, the environment or a configuration file asks for something that cannot be. */
export class UsageError extends S3epError {
  readonly code = "S3EP_USAGE"
  readonly exitCode = 2
}

/** Some items of many failed; each was reported when it did. */
export class PartialError extends S3epError {
  readonly code = "S3EP_PARTIAL"
  readonly exitCode = 3
}

/** The key was right and the bytes were not. Never retried, never skipped. */
export class IntegrityError extends S3epError {
  readonly code = "S3EP_INTEGRITY"
  readonly exitCode = 4
}

/**
 * Each time it was asked, the store answered what does not fit the request or itself: other bytes than asked for, a
 * length that is not the body's, no S3 at all. Nothing of it is released; what verified before is as good as it was.
 */
export class ContradictionError extends IntegrityError {}

/** No key at hand opens this, or the one that should does not. */
export class KeyMissingError extends S3epError {
  readonly code = "S3EP_KEY"
  readonly exitCode = 5
}

/** The bucket, object, version or upload is not there. */
export class NotFoundError extends S3epError {
  readonly code = "S3EP_NOT_FOUND"
  readonly exitCode = 6
  /** What is missing: callers start over when an upload is gone, and give up when a bucket is. */
  readonly what: "bucket" | "object" | "upload"
  constructor(message: string, options: S3epErrorOptions & { what: "bucket" | "object" | "upload" }) {
    super(message, options)
    this.what = options.what
  }
}

/** The service knows who asks and says no, or does not know who asks. */
export class DeniedError extends S3epError {
  readonly code = "S3EP_DENIED"
  readonly exitCode = 7
}

/** It exists already, it changed meanwhile, it is locked, or the source changed. */
export class PreconditionError extends S3epError {
  readonly code = "S3EP_PRECONDITION"
  readonly exitCode = 8
}

/**
 * Why a request may succeed when sent again. `throttled`: the service asked for patience; `server`: it
 * failed (5xx); `network`: no answer, or a broken one; the request may or may not have taken effect;
 * `credentials`: they expired and are being refreshed; `garbled`: the answer contradicts the request or itself.
 */
export type TransientCause = "throttled" | "server" | "network" | "credentials" | "garbled"

/** The storage or the network did not serve this. The one error that is worth retrying. */
export class UnavailableError extends S3epError {
  readonly code = "S3EP_UNAVAILABLE"
  readonly exitCode = 9
  readonly transient: TransientCause
  /** Seconds the service asked to wait, if it did. */
  readonly retryAfterSeconds: number | undefined
  constructor(
    message: string,
    options: S3epErrorOptions & { transient: TransientCause; retryAfterSeconds?: number | undefined },
  ) {
    super(message, options)
    this.transient = options.transient
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** The service does not offer what was asked of it (a checksum kind, a condition, a header). */
export class UnsupportedError extends S3epError {
  readonly code = "S3EP_UNSUPPORTED"
  readonly exitCode = 2
  /** The feature refused, so that a caller can do without it. */
  readonly feature: string
  constructor(message: string, options: S3epErrorOptions & { feature: string }) {
    super(message, options)
    this.feature = options.feature
  }
}

/** A local file or pipe could not be read or written. */
export class LocalIoError extends S3epError {
  readonly code = "S3EP_LOCAL_IO"
  readonly exitCode = 10
}

/** SIGINT or SIGTERM stopped the work; what was done is kept. */
export class InterruptedError extends S3epError {
  readonly code = "S3EP_INTERRUPTED"
  readonly exitCode: number
  constructor(signal: "SIGINT" | "SIGTERM", options: S3epErrorOptions = {}) {
    super(`interrupted by ${signal}`, options)
    this.exitCode = signal === "SIGINT" ? 130 : 143
  }
}
