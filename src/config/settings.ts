import { join } from "node:path"
import {
  choice,
  count,
  type Kind,
  kekName,
  kekNames,
  keyringIds,
  kmsKeys,
  onOff,
  path,
  paths,
  recipients,
  serviceUrl,
  size,
  text,
} from "./kinds.ts"
import type { Directories } from "./paths.ts"

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/** A variable that others defined, honoured after our own. */
export interface ForeignVariable {
  readonly name: string
  /** What it says in our words; undefined if it says nothing. */
  readonly read?: (value: string) => string | undefined
}

/** Everything there is to know about one setting; all else (option, variable, member, help, checks) is derived. */
export interface Setting<T, Default extends T | undefined = T | undefined> {
  readonly kind: Kind<T>
  readonly help: string
  /** The option, without its value: `--part-size`. Settings without one are not for every day, or are secret. */
  readonly option?: `--${string}`
  readonly short?: `-${string}`
  readonly variable?: `S3EP_${string}`
  readonly foreign?: readonly ForeignVariable[]
  /**
   * Which config files may hold it. `trusted`: the user's own and the one named with `--config`, not one that was
   * found because it lies in a directory: whoever wrote that one must not choose our keys or run commands. `top`: any, outside `profiles`. `none`: no file at all.
   */
  readonly files: "any" | "trusted" | "top" | "none"
  /** Shown masked, and never repeated in an error. */
  readonly secret?: true
  readonly default?: (directories: Directories) => Default
}

interface Defaulted<T> extends Setting<T, T> {
  readonly default: (directories: Directories) => T
}

interface Optional<T> extends Setting<T, undefined> {
  readonly default?: never
}

// const: or the default would widen one of some words to any text.
function defaulted<const T>(setting: Defaulted<T>): Defaulted<T> {
  return setting
}

function optional<T>(setting: Optional<T>): Optional<T> {
  return setting
}

/** The one table of settings. A member of a config file has the name the setting has here. */
export const settings = {
  config: optional({
    kind: path("FILE"),
    help: "read this config file instead of the project's and the user's",
    option: "--config",
    variable: "S3EP_CONFIG",
    files: "none",
  }),
  profile: optional({
    kind: text("NAME", "the name of a profile"),
    help: "use a profile of the config files, or an AWS profile",
    option: "--profile",
    variable: "S3EP_PROFILE",
    files: "top",
  }),
  awsProfile: optional({
    kind: text("NAME", "the name of an AWS profile"),
    help: "AWS profile to take credentials from",
    variable: "S3EP_AWS_PROFILE",
    foreign: [{ name: "AWS_PROFILE" }],
    files: "any",
  }),
  endpoint: optional({
    kind: serviceUrl(),
    help: "the service to talk to, if it is not AWS",
    option: "--endpoint",
    variable: "S3EP_ENDPOINT",
    foreign: [{ name: "AWS_ENDPOINT_URL_S3" }, { name: "AWS_ENDPOINT_URL" }],
    files: "any",
  }),
  region: optional({
    kind: text("NAME", "the name of a region"),
    help: "region of the bucket",
    option: "--region",
    variable: "S3EP_REGION",
    foreign: [{ name: "AWS_REGION" }, { name: "AWS_DEFAULT_REGION" }],
    files: "any",
  }),
  service: optional({
    kind: choice("NAME", [
      "aws",
      "r2",
      "b2",
      "minio",
      "ceph",
      "swift",
      "wasabi",
      "scaleway",
      "gcs",
      "generic",
    ]),
    help: "what the service is; found out from the endpoint otherwise",
    option: "--service",
    variable: "S3EP_SERVICE",
    files: "any",
  }),
  pathStyle: optional({
    kind: onOff(),
    help: "name the bucket in the path of the URL, not in its host",
    option: "--path-style",
    variable: "S3EP_PATH_STYLE",
    files: "any",
  }),
  accelerate: defaulted({
    kind: onOff(),
    help: "use S3 Transfer Acceleration",
    option: "--accelerate",
    variable: "S3EP_ACCELERATE",
    files: "any",
    default: () => false,
  }),
  requesterPays: defaulted({
    kind: onOff(),
    help: "agree to be charged for requests to buckets of others",
    option: "--requester-pays",
    variable: "S3EP_REQUESTER_PAYS",
    files: "any",
    default: () => false,
  }),
  kek: optional({
    kind: kekNames(),
    help: "name of a KEK to wrap to, instead of the default one; there may be several",
    option: "--kek",
    variable: "S3EP_KEK_NAMES",
    files: "any",
  }),
  defaultKek: optional({
    kind: kekName(),
    help: "the KEK to wrap to when nothing else says",
    variable: "S3EP_DEFAULT_KEK",
    files: "any",
  }),
  keyring: defaulted({
    kind: onOff(),
    help: "encrypt to the keyring of a prefix, where there is one and --kek says nothing else",
    option: "--keyring",
    variable: "S3EP_KEYRING",
    files: "any",
    default: () => true,
  }),
  keyringIds: optional({
    kind: keyringIds(),
    help: "ids of the keyrings to encrypt to, and to nothing else",
    variable: "S3EP_KEYRING_IDS",
    files: "trusted",
  }),
  kekInline: optional({
    kind: text("BASE64", "a key: 32 bytes in base64"),
    help: "a KEK: base64 of 32 bytes",
    variable: "S3EP_KEK",
    files: "none",
    secret: true,
  }),
  kekFile: optional({
    kind: path("FILE"),
    help: "file with a KEK: 32 bytes raw, in hex or in base64",
    option: "--kek-file",
    variable: "S3EP_KEK_FILE",
    files: "trusted",
  }),
  kekCommand: optional({
    kind: text("COMMAND", "a command that prints a key"),
    help: "command that prints a KEK: 32 bytes raw, in hex or in base64",
    variable: "S3EP_KEK_COMMAND",
    files: "trusted",
    secret: true, // what it runs may carry a token
  }),
  kekFd: optional({
    kind: count(0, 1023),
    help: "file descriptor to read a KEK from: 32 bytes raw, in hex or in base64",
    option: "--kek-fd",
    variable: "S3EP_KEK_FD",
    files: "none",
  }),
  recipient: optional({
    kind: recipients(),
    help: "public key to wrap to: age1…, the ARN of a KMS key, or a file (PEM, age); may be repeated",
    option: "--recipient",
    variable: "S3EP_RECIPIENTS",
    files: "trusted",
  }),
  kmsKey: optional({
    kind: kmsKeys(),
    help: "key of AWS KMS to wrap to and read with; may be repeated",
    option: "--kms-key",
    variable: "S3EP_KMS_KEY",
    files: "trusted",
  }),
  kmsEndpoint: optional({
    kind: serviceUrl(),
    help: "the KMS to talk to, if it is not that of the key's region",
    variable: "S3EP_KMS_ENDPOINT",
    foreign: [{ name: "AWS_ENDPOINT_URL_KMS" }],
    files: "trusted",
  }),
  identity: optional({
    kind: paths("FILE"),
    help: "file with a private key to read with: PEM (RSA) or age identities; may be repeated",
    option: "--identity",
    variable: "S3EP_IDENTITY_FILE",
    files: "trusted",
  }),
  identityCommand: optional({
    kind: text("COMMAND", "a command that prints a private key"),
    help: "command that prints a private key: PEM (RSA) or age identities",
    variable: "S3EP_IDENTITY_COMMAND",
    files: "trusted",
    secret: true, // what it runs may carry a token
  }),
  keyPassphraseFile: optional({
    kind: path("FILE"),
    help: "file with the passphrase that protects keys",
    option: "--key-passphrase-file",
    variable: "S3EP_KEY_PASSPHRASE_FILE",
    files: "trusted",
  }),
  keyPassphraseCommand: optional({
    kind: text("COMMAND", "a command that prints a passphrase"),
    help: "command that prints the passphrase that protects keys",
    variable: "S3EP_KEY_PASSPHRASE_COMMAND",
    files: "trusted",
    secret: true, // what it runs may carry a token
  }),
  keyPassphraseFd: optional({
    kind: count(0, 1023),
    help: "file descriptor to read the passphrase that protects keys from",
    option: "--key-passphrase-fd",
    variable: "S3EP_KEY_PASSPHRASE_FD",
    files: "none",
  }),
  allowRevoked: defaulted({
    kind: onOff(),
    help: "let revoked keys open what they wrapped",
    option: "--allow-revoked",
    files: "none",
    default: () => false,
  }),
  passphraseFile: optional({
    kind: path("FILE"),
    help: "file with a passphrase",
    option: "--passphrase-file",
    variable: "S3EP_PASSPHRASE_FILE",
    files: "trusted",
  }),
  passphraseCommand: optional({
    kind: text("COMMAND", "a command that prints a passphrase"),
    help: "command that prints a passphrase",
    variable: "S3EP_PASSPHRASE_COMMAND",
    files: "trusted",
    secret: true, // what it runs may carry a token
  }),
  passphraseFd: optional({
    kind: count(0, 1023),
    help: "file descriptor to read a passphrase from",
    option: "--passphrase-fd",
    variable: "S3EP_PASSPHRASE_FD",
    files: "none",
  }),
  proxyConfig: optional({
    kind: path("FILE"),
    help: "configuration of S3 Encryption Proxy (YAML), to read and write its objects with its keys",
    option: "--proxy-config",
    variable: "S3EP_PROXY_CONFIG",
    files: "trusted",
  }),
  sseCKeyFile: optional({
    kind: path("FILE"),
    help: "key of server-side encryption (SSE-C): 32 bytes raw, in hex or in base64",
    option: "--sse-c-key-file",
    variable: "S3EP_SSE_C_KEY_FILE",
    files: "any",
  }),
  sseCKey: optional({
    kind: text("BASE64", "a key: 32 bytes in base64"),
    help: "key of server-side encryption (SSE-C): base64 of 32 bytes",
    variable: "S3EP_SSE_C_KEY",
    files: "none",
    secret: true,
  }),
  partSize: optional({
    kind: size(1, 5 * GIB, "a size up to 5GiB, such as 16MiB"),
    help: "bytes of each part; grows when a file needs it (default: 5MiB to 16MiB, chosen by its size)",
    option: "--part-size",
    variable: "S3EP_PART_SIZE",
    files: "any",
  }),
  chunkSize: optional({
    kind: size(
      4 * KIB,
      16 * MIB,
      "a power of two from 4KiB to 16MiB",
      (bytes) => (bytes & (bytes - 1)) === 0,
    ),
    help: "bytes that are authenticated together (default: 64KiB)",
    option: "--chunk-size",
    variable: "S3EP_CHUNK_SIZE",
    files: "any",
  }),
  concurrency: optional({
    kind: count(1, 256),
    help: "requests in flight at once; s3ep chooses otherwise",
    option: "--concurrency",
    variable: "S3EP_CONCURRENCY",
    files: "any",
  }),
  checksum: defaulted({
    kind: choice("KIND", ["auto", "crc32", "crc64nvme", "sha256", "none"]),
    help: "how the service checks what it receives",
    option: "--checksum",
    variable: "S3EP_CHECKSUM",
    files: "any",
    default: () => "auto",
  }),
  storageClass: optional({
    kind: text("CLASS", "a storage class, such as STANDARD_IA"),
    help: "storage class of what is uploaded",
    option: "--storage-class",
    variable: "S3EP_STORAGE_CLASS",
    files: "any",
  }),
  symlinks: defaulted({
    kind: choice("POLICY", ["skip", "follow", "fail"]),
    help: "what to do with symbolic links in a tree",
    option: "--symlinks",
    variable: "S3EP_SYMLINKS",
    files: "any",
    default: () => "skip",
  }),
  keysDirectory: defaulted({
    kind: path("DIRECTORY"),
    help: "where the keys of this machine are kept",
    variable: "S3EP_KEYS_DIRECTORY",
    files: "trusted",
    default: ({ config }) => join(config, "keys"),
  }),
  stateDirectory: defaulted({
    kind: path("DIRECTORY"),
    help: "where unfinished transfers are recorded",
    variable: "S3EP_STATE_DIRECTORY",
    files: "any",
    default: ({ state }) => state,
  }),
  json: defaulted({
    kind: onOff(),
    help: "print JSON lines",
    option: "--json",
    variable: "S3EP_JSON",
    files: "any",
    default: () => false,
  }),
  quiet: defaulted({
    kind: onOff(),
    help: "print results and errors only",
    option: "--quiet",
    short: "-q",
    variable: "S3EP_QUIET",
    files: "any",
    default: () => false,
  }),
  verbose: defaulted({
    kind: onOff(),
    help: "say more about what is done",
    option: "--verbose",
    short: "-v",
    variable: "S3EP_VERBOSE",
    files: "any",
    default: () => false,
  }),
  progress: defaulted({
    kind: onOff(),
    help: "show progress",
    option: "--progress",
    variable: "S3EP_PROGRESS",
    files: "any",
    default: () => true,
  }),
  color: defaulted({
    kind: choice("WHEN", ["auto", "always", "never"]),
    help: "colour the output",
    option: "--color",
    variable: "S3EP_COLOR",
    foreign: [
      // In this order, as Node does it.
      { name: "FORCE_COLOR", read: (value) => (value === "0" || value === "false" ? "never" : "always") },
      { name: "NO_COLOR", read: (value) => (value === "" ? undefined : "never") },
    ],
    files: "any",
    default: () => "auto",
  }),
} as const

export type SettingName = keyof typeof settings

type Value<S> = S extends Defaulted<infer T> ? T : S extends Optional<infer T> ? T | undefined : never

/** The value of every setting; undefined where nobody said and there is no default. Paths are absolute. */
export type Settings = { readonly [Name in SettingName]: Value<(typeof settings)[Name]> }

/** The table as rows, for whatever treats all settings alike. */
export const settingRows: readonly (readonly [SettingName, Setting<unknown, unknown>])[] = Object.entries(
  settings,
) as [SettingName, Setting<unknown, unknown>][]
