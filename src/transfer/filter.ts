import ignore, { type Ignore } from "ignore"

export interface FilterPatterns {
  /** Only what one of these matches; everything if there are none. */
  readonly include: readonly string[]
  /** Nothing that one of these matches; a later one that begins with "!" takes it back. */
  readonly exclude: readonly string[]
}

/**
 * Which files of a tree are wanted, by patterns with the meaning they have in a .gitignore file.
 *
 * @returns whether a path is: relative to the tree, with "/" between directories, and behind them.
 * @see https://git-scm.com/docs/gitignore
 */
export function createFilter({ include, exclude }: FilterPatterns): (relative: string) => boolean {
  const included = include.length === 0 ? null : matcher(include)
  const excluded = matcher(exclude)
  return (relative) => (included?.ignores(relative) ?? true) && !excluded.ignores(relative)
}

// Keys of a bucket may look like paths that no tree has; they are matched as they are.
function matcher(patterns: readonly string[]): Ignore {
  return ignore({ allowRelativePaths: true, ignorecase: false }).add([...patterns])
}
