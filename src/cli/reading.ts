import { proxyAesKey, proxyRsaKey } from "../compat/s3-encryption-proxy-providers.ts"
import type { ProxyConfig, ProxyProvider } from "../config/proxy-config.ts"
import { readProxyConfig } from "../config/proxy-config.ts"
import type { RawKey } from "../crypto/raw-key.ts"
import { UsageError } from "../errors.ts"
import type { ReadingOptions } from "../transfer/context.ts"
import type { Expectation } from "../transfer/expect.ts"

/** The options of commands that read objects of other systems, as commander has them. */
export interface ReadingFlags {
  readonly plaintext?: boolean | undefined
  readonly allowUnauthenticated?: boolean | undefined
  readonly sealedValue?: ReadingOptions["sealedValue"]
  readonly expect?: Expectation | undefined
}

/** The keys and the prefix of a proxy's configuration. Disposing of it wipes the keys. */
export interface ProxyKeys extends Disposable {
  readonly keys: readonly RawKey[]
  /** As S3 keeps it: in lower case. */
  readonly prefix: string
  /** @throws {UsageError} if what the proxy writes with is nothing to write with here. */
  writer(): { readonly key: RawKey; readonly prefix: string }
}

/**
 * The keys of a proxy's configuration.
 *
 * @param notice - is told of providers that bring no key.
 * @throws {UsageError} if the file is no such configuration; {KeyMissingError} if a key in it cannot be used.
 */
export async function openProxyKeys(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
  notice: (message: string, hint?: string) => void,
): Promise<ProxyKeys> {
  const config = await readProxyConfig(path, env)
  const byAlias = new Map<string, RawKey>()
  const dispose = (): void => {
    for (const key of byAlias.values()) if (key.type === "aes") key.key[Symbol.dispose]()
  }
  try {
    for (const provider of config.providers) {
      const key = keyOf(provider)
      if (key) byAlias.set(provider.alias, key)
      else notice(...explained(provider))
    }
  } catch (error) {
    dispose()
    throw error
  }
  return {
    keys: [...byAlias.values()],
    prefix: config.prefix.toLowerCase(),
    writer: () => writerOf(config, byAlias),
    [Symbol.dispose]: dispose,
  }
}

function keyOf(provider: ProxyProvider): RawKey | null {
  if (provider.type === "aes") return proxyAesKey(provider.aesKey, provider.alias)
  if (provider.type !== "rsa") return null
  return proxyRsaKey(provider.publicKeyPem, provider.privateKeyPem, provider.alias)
}

function explained({ type, alias }: ProxyProvider): [message: string, hint: string] {
  if (type === "tink") {
    return [
      `the provider ${alias} of the proxy's configuration is of type tink, which brings no key`,
      "no release of the proxy could use it: there are no objects under it",
    ]
  }
  return [
    `the provider ${alias} of the proxy's configuration is of type none: what was written under it is not encrypted`,
    "read it with --plaintext",
  ]
}

function writerOf({ active, prefix, path, providers }: ProxyConfig, keys: ReadonlyMap<string, RawKey>) {
  if (active === null) throw new UsageError(`${path}: encryption.encryption_method_alias: is missing`)
  const key = keys.get(active)
  if (!key) {
    const type = providers.find(({ alias }) => alias === active)?.type
    throw new UsageError(
      `the proxy writes with its provider ${active} of type ${type}, which encrypts nothing`,
      {
        hint: "name a provider of type aes or rsa in encryption.encryption_method_alias",
      },
    )
  }
  if (prefix === "" || prefix !== prefix.toLowerCase()) {
    throw new UsageError(
      `the proxy cannot read back what is written with metadata_key_prefix ${JSON.stringify(prefix)}`,
      {
        hint: prefix === "" ? "it needs a prefix" : "S3 makes names lower case: use a lower-case prefix",
      },
    )
  }
  return { key, prefix }
}
