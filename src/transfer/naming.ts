import {
  ContradictionError,
  DeniedError,
  IntegrityError,
  KeyMissingError,
  LocalIoError,
  NotFoundError,
  PreconditionError,
  S3epError,
  UnavailableError,
  UsageError,
} from "../errors.ts"
import type { ObjectAddress } from "../store/store.ts"

/** An object as the user writes it. */
export function objectUri({ bucket, key }: ObjectAddress): string {
  return `s3://${bucket}/${key}`
}

/**
 * Say what could not be done, and to what, before an error's own words: `cannot open s3://vault/a.tar: …`.
 *
 * @param subject - what the error is about; an error that names it already is returned as it is.
 * @returns an error of the same class with the original as its cause; anything that is not an `S3epError`, an
 * interruption, and what is about a local file, which says so itself, unchanged.
 */
export function named(error: unknown, verb: string, subject: string): unknown {
  if (!(error instanceof S3epError) || error.message.includes(subject)) return error
  if (error instanceof LocalIoError) return error
  const message = `cannot ${verb} ${subject}: ${error.message}`
  const options = { cause: error, hint: error.hint }
  if (error instanceof ContradictionError) return new ContradictionError(message, options)
  if (error instanceof IntegrityError) return new IntegrityError(message, options)
  if (error instanceof KeyMissingError) return new KeyMissingError(message, options)
  if (error instanceof PreconditionError) return new PreconditionError(message, options)
  if (error instanceof DeniedError) return new DeniedError(message, options)
  if (error instanceof UsageError) return new UsageError(message, options)
  if (error instanceof NotFoundError) return new NotFoundError(message, { ...options, what: error.what })
  if (error instanceof UnavailableError) {
    const { transient, retryAfterSeconds } = error
    return new UnavailableError(message, { ...options, transient, retryAfterSeconds })
  }
  return error
}

/** `named` for whatever an object's reading throws. */
export async function namingObject<T>(address: ObjectAddress, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw named(error, "open", objectUri(address))
  }
}
