import { dirname } from "node:path"
import { UsageError } from "../errors.ts"
import { closestName } from "./closest.ts"
import type { ConfigFile } from "./files.ts"
import type { Layer } from "./origin.ts"
import { type SettingName, settingRows, settings } from "./settings.ts"
import { readValue } from "./values.ts"

/** A config file, checked: what it says at the top, and under each name in `profiles`. */
export interface FileLayers {
  readonly path: string
  readonly top: Layer
  readonly profiles: ReadonlyMap<string, Layer>
}

const MEMBERS: readonly string[] = [
  ...settingRows.filter(([, { files }]) => files !== "none").map(([name]) => name),
  "profiles",
]

/**
 * Check everything a config file says, profiles that are not in use included.
 *
 * @throws {UsageError} naming the file and the member, for what s3ep does not know, cannot use, or does not take
 *   from such a file.
 */
export function readMembers(file: ConfigFile, homeDirectory: string): FileLayers {
  const members = asObject(file.content, `config file ${file.path}`)
  const { profiles: named = {}, ...top } = members
  const profiles = new Map<string, Layer>()
  for (const [profile, content] of Object.entries(asObject(named, `${file.path}: profiles`))) {
    const where = `${file.path}: profiles.${profile}`
    profiles.set(profile, readLayer(file, asObject(content, where), homeDirectory, profile))
  }
  return { path: file.path, top: readLayer(file, top, homeDirectory), profiles }
}

function readLayer(
  file: ConfigFile,
  members: Readonly<Record<string, unknown>>,
  homeDirectory: string,
  profile?: string,
): Layer {
  const values = new Map<SettingName, unknown>()
  const prefix = profile === undefined ? "" : `profiles.${profile}.`
  for (const [member, given] of Object.entries(members)) {
    const where = `${file.path}: ${prefix}${member}`
    if (!isSetting(member)) throw unknownMember(where, member)
    refuseMisplaced(member, where, file, profile !== undefined)
    values.set(member, readValue(member, given, { where, baseDirectory: dirname(file.path), homeDirectory }))
  }
  const place = profile === undefined ? {} : { profile }
  return { values, origin: () => ({ kind: file.trust, file: file.path, ...place }) }
}

function refuseMisplaced(name: SettingName, where: string, file: ConfigFile, inProfile: boolean): void {
  const { files } = settings[name]
  if (files === "none") {
    throw new UsageError(`${where}: cannot be set in a config file`, {
      hint:
        "secret" in settings[name]
          ? `keep the key in a file only you can read and give its path, or ${named(name)}`
          : `${named(name)} instead`,
    })
  }
  if (files === "top" && inProfile) throw new UsageError(`${where}: cannot be set inside a profile`)
  if (files === "trusted" && file.trust === "project") {
    throw new UsageError(
      `${where}: refused, since a file found because it lies in a directory must not choose keys or run commands`,
      {
        hint: `move it to your user config, ${named(name)}, or name the file: --config ${file.path}`,
      },
    )
  }
}

/** How to say it elsewhere. */
function named(name: SettingName): string {
  const setting: { variable?: string; option?: string } = settings[name]
  return setting.variable === undefined ? `give ${setting.option}` : `set ${setting.variable}`
}

function isSetting(member: string): member is SettingName {
  return Object.hasOwn(settings, member)
}

function asObject(given: unknown, where: string): Readonly<Record<string, unknown>> {
  if (given === null || given === undefined) return {}
  if (typeof given === "object" && !Array.isArray(given)) return given as Record<string, unknown>
  throw new UsageError(`${where}: expected members with values, such as "region: eu-central-1"`)
}

function unknownMember(where: string, member: string): UsageError {
  const close = closestName(member, MEMBERS)
  return new UsageError(`${where}: not a setting s3ep knows`, {
    hint: close === undefined ? "`s3ep config explain` lists them" : `did you mean ${close}?`,
  })
}
