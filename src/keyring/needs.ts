import type { KeyNeed } from "../keys/need.ts"
import { keyringUri } from "./place.ts"
import { listSeenKeyrings } from "./seen.ts"

/**
 * The keys that the keyrings this machine has opened are wrapped to, as it saw them last.
 *
 * @throws {LocalIoError} if what was seen cannot be read.
 */
export async function keyringNeeds(stateDirectory: string): Promise<KeyNeed[]> {
  const seen = await listSeenKeyrings(stateDirectory)
  return seen.map((keyring) => ({
    what: `the keyring ${keyringUri(keyring)}`,
    // What only its algorithm and its id are looked at for.
    recipients: keyring.recipients.map(({ kek, alg }) => ({ kek, alg, ct: "" })),
  }))
}
