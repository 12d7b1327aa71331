import { keyringNeeds } from "../keyring/needs.ts"
import type { Witness } from "../keys/need.ts"
import { uploadNeeds } from "../transfer/key-needs.ts"
import type { Session } from "./session.ts"

/** Everything on this machine that knows of things only some key opens. */
export function keyWitnesses({ settings }: Session): Witness[] {
  const { stateDirectory } = settings
  return [() => uploadNeeds(stateDirectory), () => keyringNeeds(stateDirectory)]
}
