import { KeyMissingError } from "../../errors.ts"
import { bodyOf, readKeyFacts } from "../key-file.ts"
import { parseKeys } from "../kinds.ts"
import { unprotectKey } from "../protect.ts"
import { systemRandom } from "../random.ts"
import type { Recogniser } from "./recogniser.ts"

const NAMED = /^# s3ep key ([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})\n/

/** A file of a keys directory, or what `keys export` wrote, which is the same. */
export const keyFile: Recogniser = async (content, place) => {
  const beginning = Buffer.from(content.subarray(0, 128)).toString("latin1")
  const name = NAMED.exec(beginning)?.[1]
  if (name === undefined) return null
  const { id, created, state, place: where } = readKeyFacts(content)
  if (where === "keychain") {
    throw new KeyMissingError(
      `${place.origin} holds no key: it is in the keychain of the machine it comes from`,
      {
        hint: `\`s3ep keys export ${name}\` there prints it`,
      },
    )
  }
  if (where === "file") {
    const [material, ...others] = await parseKeys(content, place)
    if (material && others.length === 0 && (id === undefined || material.id === id)) {
      return [{ material, name, created, state }]
    }
    for (const parsed of [material, ...others]) parsed?.[Symbol.dispose]()
    throw new KeyMissingError(`${place.origin} is damaged: it holds another key than it says`)
  }
  if (id === undefined || !place.unlock)
    throw new KeyMissingError(`${place.origin} is damaged: it names no key`)
  using text = await unprotectKey(
    { id, line: bodyOf(content), origin: place.origin },
    await place.unlock(place.origin),
    { random: systemRandom },
  )
  const [material] = await parseKeys(text.bytes, place)
  return material ? [{ material, name, created, state }] : null
}
