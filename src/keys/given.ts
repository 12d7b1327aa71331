import { basename } from "node:path"
import { utf8 } from "../bytes.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import type { Kek } from "./kek.ts"
import type { KeySources, WrittenPlace } from "./kind.ts"
import { kekOf, parseKeys } from "./kinds.ts"
import type { KeyMaterial } from "./material.ts"
import { readKeyFile, readSecretCommand, readSecretFile } from "./source.ts"

const SHOWN_CHARACTERS = 16

/**
 * Those who are to read: a public key or the ARN of a KMS key as it is, or a file of them. They are no secrets, so
 * such a file may be anybody's to read.
 *
 * @throws {KeyMissingError} if one is none, or a file holds a secret.
 */
export async function openRecipients(given: readonly string[], sources: KeySources): Promise<Kek[]> {
  return collected(async (add) => {
    for (const recipient of given) {
      const isText = isRecipientText(recipient)
      using content = isText
        ? new SecretBytes(utf8(recipient))
        : (await readKeyFile(recipient, "recipients")).content
      const origin = isText ? `the recipient ${abbreviated(recipient)}` : `the recipients file ${recipient}`
      const name = isText ? abbreviated(recipient) : basename(recipient)
      await add(content.bytes, { origin }, name, (material) => {
        if (!material.secret) return
        throw new KeyMissingError(`${origin} holds a secret key`, {
          hint: "give it with --identity or --kek-file, and only its public part as a recipient",
        })
      })
    }
  }, sources)
}

/**
 * Private keys to read with.
 *
 * @throws {KeyMissingError} if one is none, cannot be read, or others than its owner may read it.
 */
export async function openIdentities(
  { files = [], command }: { files?: readonly string[] | undefined; command?: string | undefined },
  sources: KeySources,
): Promise<Kek[]> {
  const { env, signal, unlock } = sources
  return collected(async (add) => {
    for (const file of files) {
      using content = await readSecretFile(file, "identity")
      await add(content.bytes, { origin: `the identity file ${file}`, unlock }, basename(file))
    }
    if (command !== undefined) {
      using content = await readSecretCommand(command, { env, signal, what: "identity" })
      await add(content.bytes, { origin: "the output of the identity command", unlock }, "identity-command")
    }
  }, sources)
}

/** Whether this is a recipient itself, rather than the path of a file of them. */
export function isRecipientText(given: string): boolean {
  return /^(?:age1|arn:|ssh-)/.test(given)
}

type Add = (
  content: Uint8Array,
  place: WrittenPlace,
  name: string,
  check?: (material: KeyMaterial) => void,
) => Promise<void>

async function collected(work: (add: Add) => Promise<void>, sources: KeySources): Promise<Kek[]> {
  const keks: Kek[] = []
  try {
    await work(async (content, place, name, check) => {
      const materials = await parseKeys(content, place)
      try {
        for (const material of materials) {
          check?.(material)
          keks.push(await kekOf(material, name, sources))
        }
      } finally {
        for (const material of materials) material[Symbol.dispose]()
      }
    })
    return keks
  } catch (error) {
    for (const kek of keks) kek[Symbol.dispose]()
    throw error
  }
}

function abbreviated(recipient: string): string {
  // A KMS key is known by the end of its ARN, a public key by its beginning.
  if (recipient.startsWith("arn:")) return recipient.slice(recipient.indexOf("key/"))
  return recipient.length > SHOWN_CHARACTERS ? `${recipient.slice(0, SHOWN_CHARACTERS)}…` : recipient
}
