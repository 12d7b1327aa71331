import type { Witness } from "../keys/need.ts"
import { uploadNeeds } from "../transfer/key-needs.ts"
import type { Session } from "./session.ts"

/** Everything on this machine that knows of things only some key opens. */
export function keyWitnesses({ settings }: Session): Witness[] {
  return [() => uploadNeeds(settings.stateDirectory)]
}
