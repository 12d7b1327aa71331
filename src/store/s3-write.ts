import { UnsupportedError } from "../errors.ts"
import type { S3Conditions } from "./s3-conditions.ts"
import type { S3Dialect } from "./s3-dialect.ts"
import { settingsHeaders } from "./s3-headers.ts"
import { addressInput, callInput, conditionsInput, settingsInput } from "./s3-inputs.ts"
import { confirmLock } from "./s3-lock.ts"
import { storedOf } from "./s3-outputs.ts"
import { payload } from "./s3-payload.ts"
import type { S3Session, Sending } from "./s3-session.ts"
import type { Feature } from "./services.ts"
import type { ChecksumChoice, ObjectAddress, ObjectSettings, PutOptions, StoredObject } from "./store.ts"

export interface S3Context {
  readonly session: S3Session
  readonly dialect: S3Dialect
  readonly conditions: S3Conditions
}

export async function putObject(
  context: S3Context,
  address: ObjectAddress,
  body: Uint8Array,
  options: PutOptions,
): Promise<StoredObject> {
  const { settings, signal } = options
  await checkSettings(context, address, settings)
  const { encryption } = settings
  const customerKey = encryption?.kind === "sse-c" ? encryption.key : undefined
  const conditions = await context.conditions.toSend(address, "put", options.conditions, {
    signal,
    customerKey,
  })
  const sending = writing(address, signal)
  const choice = checksumFor(settings, options.checksum)
  const output = await withChecksum(context, "checksum", choice, (sendChecksum) =>
    context.session.ask(
      sending,
      "PutObject",
      {
        ...addressInput(address),
        ...callInput(options),
        ...settingsInput(settings),
        ...conditionsInput(conditions),
      },
      () => payload(body, choice, { sendChecksum, headers: settingsHeaders(settings) }),
    ),
  )
  await confirmEncryption(context, sending, settings, output)
  const stored = storedOf(output)
  await confirmLock(context, address, stored, settings, { ...options, customerKey })
  return stored
}

export function writing(address: ObjectAddress, signal: AbortSignal | undefined): Sending {
  return {
    action: `write s3://${address.bucket}/${address.key}`,
    bucket: address.bucket,
    about: "object",
    signal,
  }
}

/** S3 wants a checksum with what Object Lock is to protect, whatever the user prefers. */
export function checksumFor(settings: ObjectSettings, choice: ChecksumChoice | undefined): ChecksumChoice {
  const locked = settings.retention !== undefined || settings.legalHold === true
  return locked && choice === "none" ? "crc32" : (choice ?? "auto")
}

/**
 * Sends with a checksum, unless the endpoint is known to refuse those. If it refuses now, sends without and
 * remembers; a refusal that persists was about something else and is the caller's.
 *
 * @param feature - what is refused and remembered.
 */
export async function withChecksum<T>(
  { session, dialect }: S3Context,
  feature: "checksum" | "part-checksums",
  choice: ChecksumChoice,
  send: (sendChecksum: boolean) => Promise<T>,
): Promise<T> {
  if (choice === "none" || (await dialect.offers(feature)) === false) return send(false)
  try {
    return await send(true)
  } catch (error) {
    const refused = error instanceof UnsupportedError && /^(checksum|header)$/.test(error.feature)
    if (!refused) throw error
    const answer = await send(false).catch((again: unknown) => {
      throw again instanceof UnsupportedError ? error : again
    })
    await dialect.learn(feature, false)
    if (feature === "checksum") {
      session.notice(
        "checksum",
        `${session.endpoint} refuses checksums, so it is sent none from now on`,
        "s3ep still finds any damaged byte when it reads",
      )
    }
    return answer
  }
}

/** @throws {UnsupportedError} if the endpoint is known to accept a setting and to ignore it. */
export async function checkSettings(
  { dialect, session }: S3Context,
  address: ObjectAddress,
  { encryption, retention, legalHold }: ObjectSettings,
): Promise<void> {
  const refuse = (feature: Feature, name: string) => {
    const message = `cannot write s3://${address.bucket}/${address.key}: ${session.endpoint} ignores ${name}`
    return new UnsupportedError(message, { feature, hint: `leave out the ${name}` })
  }
  if (encryption?.kind === "sse-c" && (await dialect.offers("sse-c")) === false) {
    throw refuse("sse-c", "customer's key (SSE-C)")
  }
  if ((retention || legalHold) && (await dialect.offers("object-lock")) === false) {
    throw refuse("object-lock", "retention or legal hold (Object Lock)")
  }
}

/** A service that ignores the encryption asked for answers as if all were well; only the headers show it. */
export async function confirmEncryption(
  { dialect, session }: S3Context,
  sending: Sending,
  { encryption }: ObjectSettings,
  output: { SSECustomerAlgorithm?: string | undefined; ServerSideEncryption?: string | undefined },
): Promise<void> {
  if (encryption?.kind === "sse-c") {
    if (output.SSECustomerAlgorithm !== undefined) return
    await dialect.learn("sse-c", false)
    const message = `cannot ${sending.action} under the customer's key: the service took the bytes and ignored the key`
    throw new UnsupportedError(message, { feature: "sse-c", hint: "leave out the customer's key (SSE-C)" })
  }
  if (encryption && output.ServerSideEncryption === undefined) {
    session.notice("encryption", `${session.endpoint} does not confirm the server-side encryption asked for`)
  }
}
