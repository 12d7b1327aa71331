import { UsageError } from "../errors.ts"
import { awsProfileNames } from "./aws-profiles.ts"
import { closestName } from "./closest.ts"
import type { Surroundings } from "./environment.ts"
import type { FileLayers } from "./members.ts"
import { describeOrigin, type Layer, type Origin } from "./origin.ts"

/**
 * What a profile says that no config file has, if AWS has one of that name: its credentials are to be used.
 *
 * @throws {UsageError} if AWS has none either, listing the profiles there are.
 */
export async function awsProfileLayer(
  profile: string,
  origin: Origin,
  files: readonly FileLayers[],
  { env, homeDirectory }: Surroundings,
): Promise<Layer> {
  const known = await awsProfileNames(env, homeDirectory)
  if (!known.includes(profile)) throw unknownProfile(profile, origin, files, known)
  return { values: new Map([["awsProfile", profile]]), origin: () => origin }
}

function unknownProfile(
  profile: string,
  origin: Origin,
  files: readonly FileLayers[],
  awsProfiles: readonly string[],
): UsageError {
  const configured = [...new Set(files.flatMap(({ profiles }) => [...profiles.keys()]))].sort()
  const close = closestName(profile, [...configured, ...awsProfiles])
  const listed = [
    ...(configured.length > 0 ? [`in config: ${configured.join(", ")}`] : []),
    ...(awsProfiles.length > 0 ? [`AWS profiles: ${awsProfiles.join(", ")}`] : []),
  ].join("; ")
  const meant = close === undefined ? [] : [`did you mean ${close}?`]
  return new UsageError(
    `there is no profile ${JSON.stringify(profile)} (${describeOrigin(origin)}), in config or among the AWS profiles`,
    { hint: [...meant, listed === "" ? "there are no profiles at all" : `there are, ${listed}`].join(" ") },
  )
}
