import ignore from "ignore"
import { UsageError } from "../errors.ts"

export interface FilterPatterns {
  /** Only files that match one of these, or lie in a directory that does. All if empty. */
  readonly include?: readonly string[] | undefined
  /** No file that matches one of these; they win over `include`. */
  readonly exclude?: readonly string[] | undefined
}

/**
 * Which files of a tree are wanted, by patterns with the meaning they have in a .gitignore.
 *
 * @see https://git-scm.com/docs/gitignore
 */
export class Filter {
  readonly #include: ReturnType<typeof ignore> | null
  readonly #exclude: ReturnType<typeof ignore> | null

  /** @throws {UsageError} for a pattern that is none. */
  constructor({ include = [], exclude = [] }: FilterPatterns) {
    this.#include = include.length === 0 ? null : matcher(include)
    this.#exclude = exclude.length === 0 ? null : matcher(exclude)
  }

  /** @param relative - from the root of the tree, with "/" between names, and at the end for a directory. */
  excludes(relative: string): boolean {
    return this.#exclude?.ignores(relative) ?? false
  }

  /** @param relative - of a file. */
  wants(relative: string): boolean {
    return !this.excludes(relative) && (this.#include?.ignores(relative) ?? true)
  }
}

function matcher(patterns: readonly string[]): ReturnType<typeof ignore> {
  for (const pattern of patterns) {
    if (pattern.trim() === "") throw new UsageError("an empty pattern matches nothing")
  }
  // The keys of a bucket may look like paths that no tree has.
  return ignore({ ignorecase: false, allowRelativePaths: true }).add([...patterns])
}
