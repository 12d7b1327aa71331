import { resolve } from "node:path"
import { readEnvironment, readForeignEnvironment, type Surroundings } from "./environment.ts"
import { type ConfigFile, findProjectFile, findUserFile, readConfigFile } from "./files.ts"
import { readMembers } from "./members.ts"
import type { Layer, Origin } from "./origin.ts"
import { type Directories, directories } from "./paths.ts"
import { awsProfileLayer } from "./profile.ts"
import { type SettingName, type Settings, settingRows } from "./settings.ts"
import { readValue } from "./values.ts"

export interface ResolveRequest extends Surroundings {
  /**
   * Options as commander names them (`--part-size` is `partSize`). Only those the user gave; undefined is not given,
   * and what is not a setting is the command's own.
   */
  readonly options: Readonly<Record<string, unknown>>
}

/** What applies, and why. */
export interface Resolved {
  readonly values: Settings
  readonly origins: Readonly<Record<SettingName, Origin>>
  /** Config files read, the strongest first. */
  readonly files: readonly string[]
  readonly directories: Directories
}

/**
 * Decide every setting: option, environment (`S3EP_*`, then what others defined), project config, user config,
 * default; within a file the chosen profile before the rest.
 *
 * @throws {UsageError} for anything s3ep does not know or cannot use, wherever it is, in use or not.
 * @throws {LocalIoError} if a config file is there and cannot be read.
 */
export async function resolveSettings(request: ResolveRequest): Promise<Resolved> {
  const { env, homeDirectory } = request
  const own = directories(env, homeDirectory)
  const asked = [readOptions(request), readEnvironment(request)]
  const foreign = readForeignEnvironment(request, (name) => asked.some(({ values }) => values.has(name)))
  const given = [...asked, foreign]

  const files = (await findFiles(request, own, decide("config", given)?.value)).map((file) =>
    readMembers(file, homeDirectory),
  )
  const profile = decide("profile", [...given, ...files.map(({ top }) => top)])
  const name = typeof profile?.value === "string" ? profile.value : undefined
  const inFiles = files.flatMap(({ top, profiles }) => {
    const chosen = name === undefined ? undefined : profiles.get(name)
    return chosen === undefined ? [top] : [chosen, top]
  })
  const layers = [...given, ...inFiles]
  if (profile !== undefined && name !== undefined && !files.some(({ profiles }) => profiles.has(name))) {
    // As strong as whatever named the profile.
    layers.splice(profile.rank + 1, 0, await awsProfileLayer(name, profile.origin, files, request))
  }
  return { ...decideAll(layers, own), files: files.map(({ path }) => path), directories: own }
}

function readOptions({ options, cwd, homeDirectory }: ResolveRequest): Layer {
  const values = new Map<SettingName, unknown>()
  const flags = new Map<SettingName, string>()
  for (const [name, { option }] of settingRows) {
    const given = options[name]
    if (option === undefined || given === undefined) continue
    flags.set(name, given === false ? option.replace("--", "--no-") : option)
    values.set(name, readValue(name, given, { where: `option ${option}`, baseDirectory: cwd, homeDirectory }))
  }
  return {
    values,
    origin: (name) => ({ kind: "option", option: flags.get(name) ?? "" }),
  }
}

async function findFiles(
  { cwd, homeDirectory }: Surroundings,
  own: Directories,
  named: unknown,
): Promise<ConfigFile[]> {
  if (typeof named === "string") return [await readConfigFile(named, "named")]
  const found = [await findProjectFile(resolve(cwd), homeDirectory), await findUserFile(own.config)]
  return found.filter((file) => file !== null)
}

interface Decision {
  readonly value: unknown
  readonly origin: Origin
  /** Position of the layer that decided. */
  readonly rank: number
}

function decide(name: SettingName, layers: readonly Layer[]): Decision | undefined {
  const rank = layers.findIndex(({ values }) => values.has(name))
  const layer = layers[rank]
  return layer && { value: layer.values.get(name), origin: layer.origin(name), rank }
}

function decideAll(layers: readonly Layer[], own: Directories): Pick<Resolved, "values" | "origins"> {
  const values: Record<string, unknown> = {}
  const origins: Record<string, Origin> = {}
  for (const [name, setting] of settingRows) {
    const decision = decide(name, layers)
    values[name] = decision ? decision.value : setting.default?.(own)
    origins[name] = decision?.origin ?? { kind: "default" }
  }
  // Every row of the table was read with the schema of its kind, which is what the types say.
  return { values: values as unknown as Settings, origins: origins as Record<SettingName, Origin> }
}
