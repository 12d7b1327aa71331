import { join } from "node:path"
import type { Resolved } from "../config/resolve.ts"
import type { SettingName, Settings } from "../config/settings.ts"
import type { RandomSource, SecretBytes } from "../crypto/secret.ts"
import type { PublicKek } from "../keyring/change.ts"
import type { KeyDirectory } from "../keys/directory.ts"
import type { Kek, KeySet } from "../keys/kek.ts"
import type { OpenKeys, WriterChoice } from "../keys/keyset.ts"
import type { KeySetRequest, KeySources } from "../keys/kind.ts"
import type { Unlocker } from "../keys/unlock.ts"
import type { CustomerKey, ObjectAddress, ObjectStore } from "../store/store.ts"
import type { LocalContext } from "../transfer/container.ts"
import type { ReadingOptions, TransferContext } from "../transfer/context.ts"
import type { Io } from "./io.ts"
import type { Output } from "./output.ts"
import type { Progress } from "./progress.ts"
import type { ProxyKeys, ReadingFlags } from "./reading.ts"
import type { Interruption } from "./signals.ts"

/** What keys a piece of work needs: none are looked for that it does not. */
export type KeyPurpose = "none" | "read" | "write" | "both"

export interface SessionParts {
  readonly io: Io
  readonly output: Output
  readonly resolved: Resolved
  readonly interruption: Interruption
  readonly progress: Progress
  readonly signal: AbortSignal
  /** Whether -p was given. */
  readonly asksPassphrase: boolean
  readonly version: string
}

/** One run of a command: settings, and what is opened only when it is needed. */
export class Session implements Disposable {
  readonly io: Io
  readonly output: Output
  readonly resolved: Resolved
  readonly signal: AbortSignal
  readonly #parts: SessionParts
  readonly #opened: Disposable[] = []
  #store: Promise<ObjectStore> | undefined
  #keys: { readonly opened: Promise<OpenKeys>; readonly confirmed: boolean } | undefined
  #unlocker: Unlocker | undefined
  #proxyKeys: Promise<ProxyKeys> | undefined
  /** Findings about formats of others that were told. */
  readonly #told = new Set<string>()

  constructor(parts: SessionParts) {
    this.io = parts.io
    this.output = parts.output
    this.resolved = parts.resolved
    this.signal = parts.signal
    this.#parts = parts
  }

  get settings(): Settings {
    return this.resolved.values
  }

  /** What to do after an interruption, where it is not to run the same command again. */
  set interruptionHint(hint: string) {
    this.#parts.interruption.hint = hint
  }

  /** The store of the settings, which retries. The AWS SDK is loaded here and not before. */
  store(): Promise<ObjectStore> {
    this.#store ??= this.#openStore()
    return this.#store
  }

  /**
   * What a transfer works with.
   *
   * @param addresses - where it will write, as far as that is known: their keyrings are looked for at once.
   * @param flags - what the command allows with objects of other systems.
   */
  async transfer(
    purpose: KeyPurpose,
    addresses: readonly ObjectAddress[] = [],
    flags: ReadingFlags = {},
  ): Promise<TransferContext> {
    const { kek, keyring, keyringIds: ids, requesterPays, stateDirectory, allowRevoked } = this.settings
    const choosesKeys = kek !== undefined || this.#recipientsAre() === "chosen"
    const writersMayBeMissing = keyring && !choosesKeys
    const keys = purpose === "none" ? NO_KEYS : this.keys(purpose, { writersMayBeMissing })
    Promise.resolve(keys).catch(() => undefined) // heard of when they are waited for
    const work = {
      store: await this.store(),
      random: await this.random(),
      reading: await this.#reading(purpose, flags),
      clock: this.io.clock,
      stateDirectory,
      onProgress: this.#parts.progress.handle,
      signal: this.signal,
    }
    if (purpose === "none" || !keyring) return { ...work, keys: await keys }
    const { Keyrings } = await import("../keyring/keyrings.ts")
    const keyrings = this.#own(
      new Keyrings({ ...work, keys }, { readOnly: choosesKeys, requesterPays, allowRevoked, ids }),
    )
    for (const address of addresses) keyrings.expect(address)
    return { ...work, keys: await keys, keyrings }
  }

  /** What work on local files needs: no store. */
  async local(purpose: Exclude<KeyPurpose, "none">, flags: ReadingFlags = {}): Promise<LocalContext> {
    const { progress } = this.#parts
    const { signal } = this
    return {
      keys: await this.keys(purpose),
      reading: await this.#reading(purpose, flags),
      random: await this.random(),
      onProgress: progress.handle,
      signal,
    }
  }

  /**
   * The keys of the settings; wiped at the end of the run.
   *
   * @param options.writeTo - names or ids of those to write to.
   * @param options.writersMayBeMissing - then it fails when it is asked for them, and not before.
   */
  async keys(
    purpose: Exclude<KeyPurpose, "none">,
    options: Pick<KeySetRequest, "writeTo" | "recipientsAre" | "writersMayBeMissing"> = {},
  ): Promise<KeySet> {
    const [{ keySetOf }, keys] = await Promise.all([import("../keys/keyset.ts"), this.keysAtHand(purpose)])
    return keySetOf(keys, { ...this.writerChoice(), ...options, purpose })
  }

  /** Which keys the settings say to write to. */
  writerChoice(): WriterChoice {
    const { kek, defaultKek } = this.settings
    return { writeTo: kek ?? this.#keyOfOption(), defaultKek, recipientsAre: this.#recipientsAre() }
  }

  /** All keys there are, opened once in a run: a descriptor can be read once, and nobody likes to be asked twice. */
  keysAtHand(purpose: Exclude<KeyPurpose, "none">): Promise<OpenKeys> {
    // A passphrase that was asked for to read with was not repeated, as one to write with has to be.
    const confirms = this.#parts.asksPassphrase && purpose !== "read"
    if (!this.#keys || (confirms && !this.#keys.confirmed)) {
      this.#keys = { opened: this.#openKeys(purpose), confirmed: confirms }
    }
    return this.#keys.opened
  }

  /** Public keys: one as text, or a file of them. Wiped at the end of the run. */
  async recipients(given: string): Promise<readonly Kek[]> {
    const [{ openRecipients }, { sources }] = await Promise.all([
      import("../keys/given.ts"),
      this.#keySources(),
    ])
    return (await openRecipients([given], sources)).map((kek) => this.#own(kek))
  }

  /** Makes KEKs of the public keys that a keyring holds. */
  async publicKeks(): Promise<PublicKek> {
    const [{ kekOf, parseKeys }, { sources }] = await Promise.all([
      import("../keys/kinds.ts"),
      this.#keySources(),
    ])
    return async (publicText, name) => {
      const [material, ...others] = await parseKeys(publicText, { origin: `the public key of ${name}` })
      for (const other of others) other[Symbol.dispose]()
      if (!material) throw new RangeError("no key, and no error")
      return kekOf(material, name, sources)
    }
  }

  /** The keys directory, and what opening its keys takes. */
  async keysDirectory(): Promise<{ directory: KeyDirectory; sources: KeySources; unlocker: Unlocker }> {
    const [{ KeyDirectory }, sources] = await Promise.all([
      import("../keys/directory.ts"),
      this.#keySources(),
    ])
    return { directory: new KeyDirectory(this.settings.keysDirectory), ...sources }
  }

  /** The keys of S3 Encryption Proxy, if its configuration is named; wiped at the end of the run. */
  async proxyKeys(): Promise<ProxyKeys | null> {
    const { proxyConfig } = this.settings
    if (proxyConfig === undefined) return null
    this.#proxyKeys ??= this.#openProxyKeys(proxyConfig)
    return await this.#proxyKeys
  }

  /** The key of SSE-C, if there is one; wiped at the end of the run. */
  async customerKey(): Promise<CustomerKey | undefined> {
    const { sseCKeyFile, sseCKey } = this.settings
    if (sseCKeyFile === undefined && sseCKey === undefined) return undefined
    const [{ parseKeyBase64, parseKeyBytes }, { readSecretFile }] = await Promise.all([
      import("../keys/text.ts"),
      import("../keys/source.ts"),
    ])
    if (sseCKeyFile === undefined) return this.#own(parseKeyBase64(sseCKey ?? "", "S3EP_SSE_C_KEY"))
    using content = await readSecretFile(sseCKeyFile, "SSE-C key")
    return this.#own(parseKeyBytes(content.bytes, `what the SSE-C key file ${sseCKeyFile} holds`))
  }

  async random(): Promise<RandomSource> {
    return this.io.random ?? (await import("../keys/random.ts")).systemRandom
  }

  [Symbol.dispose](): void {
    for (const opened of this.#opened) opened[Symbol.dispose]()
    this.#store?.then(
      (store) => store.close(),
      () => undefined, // whoever asked for it was told
    )
  }

  #own<T extends Disposable>(opened: T): T {
    this.#opened.push(opened)
    return opened
  }

  async #openKeys(purpose: Exclude<KeyPurpose, "none">): Promise<OpenKeys> {
    const { openKeys } = await import("../keys/keyset.ts")
    const { directory, sources } = await this.keysDirectory()
    const { settings } = this
    const request = {
      kek: settings.kekInline,
      kekFile: settings.kekFile,
      kekCommand: settings.kekCommand,
      kekDescriptor: settings.kekFd,
      passphraseFile: settings.passphraseFile,
      passphraseCommand: settings.passphraseCommand,
      passphraseDescriptor: settings.passphraseFd,
      passphrasePrompt: this.#parts.asksPassphrase,
      recipients: [...(settings.recipient ?? []), ...(settings.kmsKey ?? [])],
      identityFiles: settings.identity,
      identityCommand: settings.identityCommand,
      allowRevoked: settings.allowRevoked,
      purpose,
    }
    return this.#own(await openKeys(request, { ...sources, directory }))
  }

  async #keySources(): Promise<{ sources: KeySources; unlocker: Unlocker }> {
    const { settings, io, signal } = this
    const { Unlocker } = await import("../keys/unlock.ts")
    const prompt = io.stdin.isTTY ? (question: string) => this.ask(question) : undefined
    this.#unlocker ??= this.#own(
      new Unlocker(
        {
          file: settings.keyPassphraseFile,
          command: settings.keyPassphraseCommand,
          descriptor: settings.keyPassphraseFd,
        },
        { env: io.env, prompt, signal },
      ),
    )
    const { unlock } = this.#unlocker
    return {
      unlocker: this.#unlocker,
      sources: {
        random: await this.random(),
        env: io.env,
        prompt,
        unlock,
        openKeychain: io.openKeychain,
        kms: { endpoint: settings.kmsEndpoint, profile: settings.awsProfile },
        signal,
      },
    }
  }

  // Whoever names recipients on the command line means them, and nobody else; so does whoever names a key there.
  #recipientsAre(): KeySetRequest["recipientsAre"] {
    const { origins } = this.resolved
    const isOption = (name: SettingName) => origins[name].kind === "option"
    if (isOption("recipient") || isOption("kmsKey")) return "chosen"
    return isOption("kek") || this.#keyOfOption() ? "passed over" : "configured"
  }

  async #reading(
    purpose: KeyPurpose,
    { plaintext, allowUnauthenticated, sealedValue, expect }: ReadingFlags,
  ): Promise<ReadingOptions> {
    const proxy = purpose === "none" || purpose === "write" ? null : await this.proxyKeys()
    const keys = proxy && { rawKeys: proxy.keys, proxyPrefix: proxy.prefix }
    return { ...keys, plaintext, allowUnauthenticated, sealedValue, expect, told: this.#told }
  }

  async #openProxyKeys(path: string): Promise<ProxyKeys> {
    const { openProxyKeys } = await import("./reading.ts")
    return this.#own(
      await openProxyKeys(path, this.io.env, (message, hint) => this.output.notice(message, hint)),
    )
  }

  // A key given on the command line is written to, whatever the environment and the files offer besides.
  #keyOfOption(): readonly string[] | undefined {
    const { origins } = this.resolved
    const names = [
      ...KEY_OPTIONS.filter(([setting]) => origins[setting].kind === "option").map(([, name]) => name),
      ...(this.#parts.asksPassphrase ? ["passphrase-prompt"] : []),
    ]
    return names.length === 1 ? names : undefined
  }

  /** Ask a person for a secret, without echo. */
  async ask(question: string): Promise<SecretBytes> {
    const { askSecret } = await import("./prompt.ts")
    return askSecret(question, this.io, this.signal)
  }

  async #openStore(): Promise<ObjectStore> {
    const { clock } = this.io
    const { onProgress, store } = { onProgress: this.#parts.progress.handle, store: await this.#bareStore() }
    const { withRetry } = await import("../store/retry.ts")
    return withRetry(store, {
      delay: (milliseconds, signal) => clock.delay(milliseconds, signal),
      random: Math.random,
      onRetry: (retry) => onProgress({ type: "retried", ...retry }),
    })
  }

  async #bareStore(): Promise<ObjectStore> {
    if (this.io.openStore) return this.io.openStore()
    const { createS3Store } = await import("../store/s3.ts")
    const { settings, resolved } = this
    return createS3Store({
      endpoint: settings.endpoint,
      region: settings.region,
      profile: settings.awsProfile,
      pathStyle: settings.pathStyle,
      accelerate: settings.accelerate,
      service: settings.service,
      dialectFile: join(resolved.directories.cache, "services.json"),
      onNotice: (message, hint) => this.#parts.progress.handle({ type: "notice", message, hint }),
      userAgent: `s3ep/${this.#parts.version}`,
      now: this.io.clock.now,
    })
  }
}

/** What the keys of these options are called. */
const KEY_OPTIONS = [
  ["kekFile", "kek-file"],
  ["kekFd", "kek-fd"],
  ["passphraseFile", "passphrase-file"],
  ["passphraseFd", "passphrase-fd"],
] as const

const NO_KEYS: KeySet = { readers: [], writers: [], [Symbol.dispose]: () => undefined }
