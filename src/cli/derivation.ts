import { type Command, Option } from "commander"
import { fromHex, utf8 } from "../bytes.ts"
import { UsageError } from "../errors.ts"
import {
  type Derivation,
  HARPOCRATES_KDF_SETS,
  type HarpocratesKdfParameters,
  harpocratesArgon2,
} from "../keys/import/derive.ts"

/** How a key was derived, as commander has it. */
export interface DerivationOptions {
  readonly derive?: Derivation["kdf"]
  readonly salt?: string
  readonly info?: string
  readonly iterations?: string
  readonly argon2?: string
}

const KDFS: readonly Derivation["kdf"][] = ["argon2id", "pbkdf2-sha256", "hkdf-sha256"]
const MAX_ITERATIONS = 100_000_000

/** For keys that Harpocrates, or anything else, derived and did not keep. */
export function addDerivationOptions(command: Command): Command {
  const sets = Object.keys(HARPOCRATES_KDF_SETS).join(", ")
  return command
    .optionsGroup("Keys that are derived, as Harpocrates does:")
    .addOption(
      new Option(
        "--derive <KDF>",
        "the source holds a passphrase, or for HKDF a key: derive the key of it",
      ).choices(KDFS),
    )
    .option("--salt <HEX>", "salt it was derived with; HKDF may have had none")
    .option("--argon2 <PARAMETERS>", `${sets}, or time=N,memory=MIB,threads=N (default: default)`)
    .option("--iterations <N>", "iterations of PBKDF2")
    .option("--info <TEXT>", "info of HKDF: the context of a data key")
    .optionsGroup("Options:")
}

/**
 * @returns null if no key is to be derived.
 * @throws {UsageError} naming the option that cannot be used.
 */
export function readDerivation(options: DerivationOptions): Derivation | null {
  const { derive: kdf, info, iterations, argon2 } = options
  const belong: Record<string, readonly [given: unknown, to: readonly Derivation["kdf"][]]> = {
    "--salt": [options.salt, KDFS],
    "--argon2": [argon2, ["argon2id"]],
    "--iterations": [iterations, ["pbkdf2-sha256"]],
    "--info": [info, ["hkdf-sha256"]],
  }
  for (const [name, [given, to]] of Object.entries(belong)) {
    if (given === undefined || (kdf && to.includes(kdf))) continue
    throw new UsageError(`option ${name} goes with --derive ${to.join(", ")}`)
  }
  if (kdf === undefined) return null
  const salt = fromHex(options.salt ?? "")
  if (!salt) throw new UsageError(`option --salt: ${JSON.stringify(options.salt)} is not hexadecimal`)
  if (kdf === "hkdf-sha256") return { kdf, salt, info: utf8(info ?? "") }
  if (options.salt === undefined) throw new UsageError(`--derive ${kdf} needs --salt`)
  if (kdf === "argon2id") return { kdf, salt, parameters: harpocratesArgon2(readArgon2(argon2 ?? "default")) }
  const count = Number(iterations)
  if (Number.isInteger(count) && count >= 1 && count <= MAX_ITERATIONS)
    return { kdf, salt, iterations: count }
  throw new UsageError(`--derive pbkdf2-sha256 needs --iterations, a number from 1 to ${MAX_ITERATIONS}`)
}

function readArgon2(given: string): HarpocratesKdfParameters {
  if (isSet(given)) return HARPOCRATES_KDF_SETS[given]
  const parameters: Partial<Record<string, number>> = {}
  for (const pair of given.split(",")) {
    const [, name, value] = /^(time|memory|threads)=(\d{1,6})$/.exec(pair) ?? []
    if (name === undefined || name in parameters) {
      throw new UsageError(`option --argon2: ${JSON.stringify(given)} is not usable`, {
        hint: `one of ${Object.keys(HARPOCRATES_KDF_SETS).join(", ")}, or time=3,memory=64,threads=4, memory in MiB`,
      })
    }
    parameters[name] = Number(value)
  }
  const { time, memory, threads } = parameters
  return { time, memory, threads }
}

function isSet(name: string): name is keyof typeof HARPOCRATES_KDF_SETS {
  return Object.hasOwn(HARPOCRATES_KDF_SETS, name)
}
