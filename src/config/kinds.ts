import * as v from "valibot"
import { UsageError } from "../errors.ts"
import { parseSize } from "./size.ts"

/**
 * A kind of value: what a setting takes as text (options, environment) and as JSON (config files), and how that is
 * said to people.
 */
export interface Kind<T> {
  readonly schema: v.GenericSchema<unknown, T>
  /** Completes "… is not usable: give ". */
  readonly allowed: string
  /** Name of the value in help, such as `FILE`; none for what is on or off. */
  readonly metavar: string | undefined
  /** The words to choose from, for help and completions. */
  readonly choices?: readonly string[]
  /** The value is a path, or each of the list is, to be resolved against the place it was written in. */
  readonly isPath?: true
  /** Of a kind of paths, those that are not. */
  readonly isLiteral?: (value: string) => boolean
  /** The value is a list, and its option may be given several times. */
  readonly isList?: true
}

const printable = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(4096),
  v.check((text) => !/\p{Cc}/u.test(text)),
)

/** Any text without control characters. */
export function text(metavar: string, allowed: string): Kind<string> {
  return { schema: printable, allowed, metavar }
}

/** A path; `~` is the home directory. */
export function path(metavar: "FILE" | "DIRECTORY"): Kind<string> {
  return { schema: printable, allowed: "a path", metavar, isPath: true }
}

/** One of some words. */
export function choice<const Choice extends string>(
  metavar: string,
  choices: readonly Choice[],
): Kind<Choice> {
  return { schema: v.picklist(choices), allowed: choices.join(", "), metavar, choices }
}

const WORDS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...([true, "true", "1", "yes", "on"] as const).map((word) => [word, true] as const),
  ...([false, "false", "0", "no", "off"] as const).map((word) => [word, false] as const),
])

/** On or off. */
export function onOff(): Kind<boolean> {
  const schema = v.pipe(
    v.union([v.boolean(), v.pipe(v.string(), v.toLowerCase())]),
    v.check((word) => WORDS.has(word)),
    v.transform((word) => WORDS.get(word) === true),
  )
  return { schema, allowed: "true or false", metavar: undefined }
}

/** A whole number from `minimum` to `maximum`. */
export function count(minimum: number, maximum: number): Kind<number> {
  const schema = v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,9}$/), v.transform(Number))]),
    v.integer(),
    v.minValue(minimum),
    v.maxValue(maximum),
  )
  return { schema, allowed: `a whole number from ${minimum} to ${maximum}`, metavar: "N" }
}

/** Bytes, as a number or written like `16MiB`; `check` holds what the range alone does not say. */
export function size(
  minimumBytes: number,
  maximumBytes: number,
  allowed: string,
  check: (bytes: number) => boolean = () => true,
): Kind<number> {
  const schema = v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.rawTransform(sizeOrIssue))]),
    v.integer(),
    v.minValue(minimumBytes),
    v.maxValue(maximumBytes),
    v.check(check),
  )
  return { schema, allowed, metavar: "SIZE" }
}

// A key pasted where its name belongs would be stored, listed and logged as a name.
const keyName = v.pipe(
  printable,
  v.check((name) => !looksLikeKey(name)),
)

// Nor is a secret key a public one: an option is for everybody on the machine to see.
const publicKey = v.pipe(
  keyName,
  v.check((given) => !/^AGE-|-----BEGIN/i.test(given)),
)

function listOf(item: v.GenericSchema<string, string>): v.GenericSchema<unknown, readonly string[]> {
  const split = v.pipe(
    v.string(),
    v.transform((list) => list.split(",").map((name) => name.trim())),
  )
  return v.pipe(v.union([split, v.array(v.string())]), v.array(item), v.minLength(1), v.maxLength(64))
}

/** The name or id of a KEK. */
export function kekName(): Kind<string> {
  return { schema: keyName, allowed: "the name of a key, not a key", metavar: "NAME" }
}

/** Names or ids of KEKs: a list in a config file, separated by commas in the environment. */
export function kekNames(): Kind<readonly string[]> {
  return {
    schema: listOf(keyName),
    allowed: "one or more key names, not keys",
    metavar: "NAME",
    isList: true,
  }
}

/** Ids of keyrings: a list in a config file, separated by commas in the environment. */
export function keyringIds(): Kind<readonly string[]> {
  const id = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/))
  return {
    schema: listOf(id),
    allowed: "one or more ids of keyrings, of 32 hexadecimal digits",
    metavar: "ID",
    isList: true,
  }
}

/** Paths: a list in a config file, one in the environment. */
export function paths(metavar: "FILE"): Kind<readonly string[]> {
  const single = v.pipe(
    v.string(),
    v.transform((path) => [path]),
  )
  const schema = v.pipe(
    v.union([single, v.array(v.string())]),
    v.array(printable),
    v.minLength(1),
    v.maxLength(64),
  )
  return { schema, allowed: "one or more paths", metavar, isPath: true, isList: true }
}

/** Public keys, or paths of files with them: a list in a config file, separated by commas in the environment. */
export function recipients(): Kind<readonly string[]> {
  return {
    schema: listOf(publicKey),
    allowed: "public keys (age1…, the ARN of a KMS key), or files with them; not secret keys",
    metavar: "RECIPIENT",
    isPath: true,
    isLiteral: (value) => /^(?:age1|arn:|ssh-)/.test(value),
    isList: true,
  }
}

/** ARNs of KMS keys: a list in a config file, separated by commas in the environment. */
export function kmsKeys(): Kind<readonly string[]> {
  const arn = v.pipe(publicKey, v.startsWith("arn:"))
  return {
    schema: listOf(arn),
    allowed: "ARNs of KMS keys, such as arn:aws:kms:eu-central-1:111122223333:key/…",
    metavar: "ARN",
    isList: true,
  }
}

/** Whether a text has the form of 32 bytes in hex or base64. */
export function looksLikeKey(given: string): boolean {
  return /^(?:[0-9a-f]{64}|[\w+/-]{43}=?)$/i.test(given.trim())
}

/** The URL of a service: no user name or password, which would end up in logs, no query, no fragment. */
export function serviceUrl(): Kind<string> {
  const schema = v.pipe(printable, v.check(isServiceUrl))
  return {
    schema,
    allowed: "an http or https URL without user name, password and query, such as https://s3.example.com",
    metavar: "URL",
  }
}

function isServiceUrl(given: string): boolean {
  if (!URL.canParse(given)) return false
  const url = new URL(given)
  const plain = url.username === "" && url.password === "" && url.search === "" && url.hash === ""
  return plain && (url.protocol === "https:" || url.protocol === "http:")
}

function sizeOrIssue(context: v.RawTransformContext<string>): number {
  try {
    return parseSize(context.dataset.value)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    context.addIssue({ message: error.message })
    return context.NEVER
  }
}
