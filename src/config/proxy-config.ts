import { UsageError } from "../errors.ts"
import { readConfigFile } from "./files.ts"

/** A provider of the proxy's configuration, environment expanded; which members there are depends on its type. */
export type ProxyProvider =
  | { readonly type: "aes"; readonly alias: string; readonly aesKey: string }
  | {
      readonly type: "rsa"
      readonly alias: string
      readonly publicKeyPem: string
      readonly privateKeyPem: string
    }
  /** `none` encrypts nothing; `tink` no release of the proxy could use. */
  | { readonly type: "none" | "tink"; readonly alias: string }

/** What of the proxy's configuration concerns its objects. */
export interface ProxyConfig {
  readonly path: string
  readonly providers: readonly ProxyProvider[]
  /** Alias of the provider that writes. */
  readonly active: string | null
  /** Of the names of metadata, as it is configured. */
  readonly prefix: string
}

type Env = Readonly<Record<string, string | undefined>>
type Members = ReadonlyMap<string, unknown>

const DEFAULT_PREFIX = "s3ep-"
const REFERENCE = /\$\{(\w+)\}/g

/**
 * Read the configuration that S3 Encryption Proxy is deployed with: YAML, the names of its members in any case,
 * `${NAME}` expanded in the values of a provider's `config` as the proxy does it.
 *
 * @throws {UsageError} naming file and member, never a value: a key may stand where it does not belong.
 * @throws {LocalIoError} if it cannot be read.
 */
export async function readProxyConfig(path: string, env: Env): Promise<ProxyConfig> {
  const { content } = await readConfigFile(path, "named")
  const encryption = membersOf(membersOf(content, path).get("encryption"), `${path}: encryption`)
  const listed = encryption.get("providers") ?? []
  if (!Array.isArray(listed) || listed.length === 0) {
    throw new UsageError(`${path}: encryption.providers: there are none`, {
      hint: "--proxy-config takes the configuration of S3 Encryption Proxy",
    })
  }
  const providers = listed.map((provider, index) => {
    return providerOf(provider, `${path}: encryption.providers[${index}]`, env)
  })
  const active = textOf(encryption, "encryption_method_alias", `${path}: encryption`)
  if (active !== null && !providers.some(({ alias }) => alias === active)) {
    throw new UsageError(`${path}: encryption.encryption_method_alias names no provider`)
  }
  const prefix = textOf(encryption, "metadata_key_prefix", `${path}: encryption`) ?? DEFAULT_PREFIX
  return { path, providers, active, prefix }
}

function providerOf(given: unknown, where: string, env: Env): ProxyProvider {
  const members = membersOf(given, where)
  const alias = textOf(members, "alias", where) ?? missing(where, "alias")
  const type = textOf(members, "type", where) ?? missing(where, "type")
  if (type === "none" || type === "tink") return { type, alias }
  const config = membersOf(members.get("config"), `${where}.config`)
  const value = (name: string) => {
    const text = textOf(config, name, `${where}.config`)
    return text === null ? missing(`${where}.config`, name) : expanded(text, `${where}.config.${name}`, env)
  }
  if (type === "aes") return { type, alias, aesKey: value("aes_key") }
  if (type === "rsa") {
    return { type, alias, publicKeyPem: value("public_key_pem"), privateKeyPem: value("private_key_pem") }
  }
  throw new UsageError(`${where}.type: none of the proxy's, which are aes, rsa and none`)
}

function expanded(text: string, where: string, env: Env): string {
  return text.replaceAll(REFERENCE, (_, name: string) => {
    const value = env[name]
    if (value === undefined || value === "") {
      throw new UsageError(`${where}: the environment variable ${name} is not set`, {
        hint: "set what the proxy is run with",
      })
    }
    return value
  })
}

function textOf(members: Members, name: string, where: string): string | null {
  const value = members.get(name)
  if (value === undefined || value === null) return null
  if (typeof value === "string") return value
  throw new UsageError(`${where}.${name}: expected text`)
}

/** Members by their names in lower case. */
function membersOf(given: unknown, where: string): Members {
  if (given === undefined || given === null) return new Map()
  if (typeof given !== "object" || Array.isArray(given))
    throw new UsageError(`${where}: expected members with values`)
  return new Map(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]))
}

function missing(where: string, name: string): never {
  throw new UsageError(`${where}.${name}: is missing`)
}
