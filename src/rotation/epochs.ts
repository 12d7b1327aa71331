import { NotFoundError } from "../errors.ts"
import { openTrusted } from "../keyring/admin.ts"
import type { OpenKeyring } from "../keyring/open.ts"
import { placesAbove } from "../keyring/place.ts"
import type { Kek } from "../keys/kek.ts"
import type { TransferContext } from "../transfer/context.ts"
import type { RotationRequest, Target } from "./request.ts"

/** The keyring a target's objects are wrapped to, opened; its KEKs live until it is disposed of. */
export async function keyringOf(
  context: TransferContext,
  target: Target,
  { requesterPays }: Pick<RotationRequest, "requesterPays">,
): Promise<OpenKeyring | null> {
  const address =
    target.kind === "object" ? target.address : { bucket: target.bucket, key: `${target.prefix}x` }
  for (const place of placesAbove(address)) {
    try {
      return await openTrusted(context, place, { requesterPays })
    } catch (error) {
      if (!(error instanceof NotFoundError) || error.what !== "object") throw error
    }
  }
  return null
}

/** The KEKs of a keyring that nothing is to be wrapped to any more. Revoked ones too: to prove is to try. */
export function replacedEpochs(keyring: OpenKeyring): Kek[] {
  return keyring.keyring.epochs
    .filter(({ state }) => state !== "active")
    .map((epoch) => keyring.kek(epoch, { allowRevoked: true }))
}
