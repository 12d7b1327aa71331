import { utf8 } from "../../../src/bytes.ts"
import { IntegrityError } from "../../../src/errors.ts"
import { encodeSealed, parseKeyring } from "../../../src/keyring/codec.ts"
import { keyringJson } from "../keyring-seed.ts"
import { edited, expecting, same } from "../support.ts"

/**
 * The keyring reader, on bytes as they are and on edits of a genuine keyring: damaged, or one whose only spelling these
 * bytes are.
 */
export async function fuzz(data: Uint8Array): Promise<void> {
  const [mode = 0] = data
  const json = mode % 2 === 0 ? data.subarray(1) : edited(utf8(keyringJson), data.subarray(1))
  await expecting([IntegrityError], () => {
    const keyring = parseKeyring(json)
    if (!same(utf8(encodeSealed(keyring)), json)) throw new Error("another spelling of it was taken")
  })
  if (Object.keys(Object.prototype).length > 0) throw new Error("a prototype was changed")
}
