import { KeyMissingError } from "../errors.ts"
import { namesOf, pick } from "../keys/choose.ts"
import type { NamedKey } from "../keys/directory.ts"

/**
 * The key of the directory that is meant by a name, an id, or the beginning of an id.
 *
 * @throws {KeyMissingError} if there is none; {UsageError} if there are several.
 */
export function storedKey(name: string, keys: readonly NamedKey[]): NamedKey {
  const key = pick(name, keys)
  if (key) return key
  throw new KeyMissingError(`the keys directory has no key ${JSON.stringify(name)}`, {
    hint: keys.length === 0 ? "make one with `s3ep keys generate`" : `it has ${namesOf(keys)}`,
  })
}
