import type { Command } from "commander"
import { fromHex } from "../bytes.ts"
import { UsageError } from "../errors.ts"
import type { Expectation } from "../transfer/expect.ts"

/** What is known of a plaintext, as commander has it. */
export interface ExpectationOptions {
  readonly expectBytes?: string
  readonly expectSha256?: string
}

const DIGEST_BYTES = 32

/** For formats that do not prove their own end. */
export function addExpectOptions(command: Command): Command {
  return command
    .optionsGroup("Objects of other systems:")
    .option("--expect-bytes <BYTES>", "fail with status 4 if the plaintext has another length")
    .option("--expect-sha256 <HEX>", "fail with status 4 if the plaintext has another SHA-256")
    .optionsGroup("Options:")
}

/**
 * @param isOne - whether it is one object that is read: of several nobody knows such things.
 * @returns undefined if nothing is expected.
 * @throws {UsageError} naming the option that cannot be used.
 */
export function readExpectation(
  { expectBytes, expectSha256 }: ExpectationOptions,
  isOne: boolean,
): Expectation | undefined {
  if (expectBytes === undefined && expectSha256 === undefined) return undefined
  if (!isOne) throw new UsageError("--expect-bytes and --expect-sha256 are for one object, not for several")
  const bytes = expectBytes === undefined ? undefined : Number(expectBytes)
  if (bytes !== undefined && !(/^\d+$/.test(expectBytes ?? "") && Number.isSafeInteger(bytes))) {
    throw new UsageError(`option --expect-bytes: ${JSON.stringify(expectBytes)} is no number of bytes`)
  }
  const sha256 = expectSha256 === undefined ? undefined : fromHex(expectSha256)
  if (sha256 === null || (sha256 && sha256.length !== DIGEST_BYTES)) {
    throw new UsageError(`option --expect-sha256: ${JSON.stringify(expectSha256)} is no SHA-256`, {
      hint: "64 hexadecimal digits, as sha256sum prints them",
    })
  }
  return { bytes, sha256 }
}
