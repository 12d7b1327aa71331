/** What each exit status means: the table of s3ep(1). Add new ones, never renumber. */
export const EXIT_STATUSES: ReadonlyMap<number, string> = new Map([
  [0, "done"],
  [1, "a bug in s3ep; its stack is printed"],
  [2, "usage or configuration"],
  [3, "done in part: some items failed, listed on stderr; run it again"],
  [4, "integrity: the data is not what was written; do not run it again"],
  [5, "key missing or wrong"],
  [6, "bucket or object not found"],
  [7, "denied: credentials or permission"],
  [8, "precondition: exists already, changed meanwhile, or locked"],
  [9, "storage or network unavailable after retries; run it again"],
  [10, "local input or output: unreadable source, full disk"],
  [130, "interrupted by SIGINT; what was done is kept, run it again"],
  [143, "interrupted by SIGTERM; what was done is kept, run it again"],
])

/** What a shell reports of a program that SIGPIPE ended; nothing s3ep did failed. */
export const BROKEN_PIPE_STATUS = 141

/** What a command without store, keys or files can end in. */
export const LOCAL_STATUSES: readonly number[] = [0, 1, 2]

/** What a command that talks to a store can end in. */
export const STORE_STATUSES: readonly number[] = [0, 1, 2, 6, 7, 9, 130, 143]

/** What a command that moves data can end in. */
export const TRANSFER_STATUSES: readonly number[] = [...EXIT_STATUSES.keys()]
