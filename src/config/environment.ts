import { UsageError } from "../errors.ts"
import { closestName } from "./closest.ts"
import type { Layer } from "./origin.ts"
import { type ForeignVariable, type SettingName, settingRows } from "./settings.ts"
import { readValue } from "./values.ts"

export type Environment = Readonly<Record<string, string | undefined>>

/** Relative paths in the environment are relative to the working directory, as in every other program. */
export interface Surroundings {
  readonly env: Environment
  readonly cwd: string
  readonly homeDirectory: string
}

const settingOfVariable: ReadonlyMap<string, SettingName> = new Map(
  settingRows.flatMap(([name, { variable }]) => (variable === undefined ? [] : [[variable, name] as const])),
)

/** The test suite's own, which tell it about a server and mean nothing to the program. */
const TEST_PREFIX = "S3EP_TEST_"

/**
 * What the `S3EP_*` variables say.
 *
 * @throws {UsageError} for a variable s3ep does not know and a value it cannot use, even if something else wins.
 */
export function readEnvironment({ env, cwd, homeDirectory }: Surroundings): Layer {
  const values = new Map<SettingName, unknown>()
  const variables = new Map<SettingName, string>()
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith("S3EP_") || variable.startsWith(TEST_PREFIX) || value === undefined) continue
    const name = settingOfVariable.get(variable)
    if (name === undefined) throw unknownVariable(variable)
    const where = `environment variable ${variable}`
    values.set(name, readValue(name, value, { where, baseDirectory: cwd, homeDirectory }))
    variables.set(name, variable)
  }
  return { values, origin: (name) => ({ kind: "environment", variable: variables.get(name) ?? "" }) }
}

/**
 * What the variables of others say (`AWS_REGION`, `NO_COLOR`) of those settings that nobody else has said yet: an
 * unusable one that does not matter here is not ours to refuse.
 *
 * @param decided - settings an option or a variable of our own gives.
 * @throws {UsageError} if one that matters has a value s3ep cannot use.
 */
export function readForeignEnvironment(
  { env, cwd, homeDirectory }: Surroundings,
  decided: (name: SettingName) => boolean,
): Layer {
  const values = new Map<SettingName, unknown>()
  const variables = new Map<SettingName, string>()
  for (const [name, { foreign = [] }] of settingRows) {
    if (decided(name)) continue
    const first = firstSaid(foreign, env)
    if (first === undefined) continue
    const where = `environment variable ${first.variable}`
    values.set(name, readValue(name, first.value, { where, baseDirectory: cwd, homeDirectory }))
    variables.set(name, first.variable)
  }
  return { values, origin: (name) => ({ kind: "environment", variable: variables.get(name) ?? "" }) }
}

function firstSaid(
  foreign: readonly ForeignVariable[],
  env: Environment,
): { variable: string; value: string } | undefined {
  for (const { name, read = setOnly } of foreign) {
    const raw = env[name]
    const value = raw === undefined ? undefined : read(raw)
    if (value !== undefined) return { variable: name, value }
  }
  return undefined
}

/** An AWS variable that is empty is not set, to the AWS SDK. */
function setOnly(value: string): string | undefined {
  return value === "" ? undefined : value
}

function unknownVariable(variable: string): UsageError {
  const close = closestName(variable, settingOfVariable.keys())
  return new UsageError(`environment variable ${variable} is not one s3ep knows`, {
    hint: close === undefined ? `unset it; the known ones are listed in s3ep(1)` : `did you mean ${close}?`,
  })
}
