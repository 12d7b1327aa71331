import { LocalIoError, S3epError } from "../errors.ts"

const REASONS: Record<string, string> = {
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file system takes no file that large",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  ENOTDIR: "a part of its path is not a directory",
  EISDIR: "it is a directory",
  EROFS: "the file system is read-only",
  ELOOP: "too many symbolic links",
  ENAMETOOLONG: "its name is too long for the file system",
  EPIPE: "nobody reads from it any more",
  EIO: "the device failed",
}

const HINTS: Record<string, string> = {
  ENOSPC: "make room and run the same command again",
  EDQUOT: "make room and run the same command again",
}

/** The errno name of a system call's failure, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}

/**
 * A failed system call as an error the user can act on; whatever is no system call's failure is returned unchanged.
 *
 * @param verb - what could not be done: "read", "write" and the like.
 */
export function localError(verb: string, path: string, error: unknown): unknown {
  const errno = errnoOf(error)
  if (errno === undefined || error instanceof S3epError) return error
  const reason = REASONS[errno] ?? errno
  return new LocalIoError(`cannot ${verb} ${path}: ${reason}`, { cause: error, hint: HINTS[errno] })
}
