import { DeniedError, KeyMissingError, S3epError, UnavailableError } from "../errors.ts"

// AWS KMS API Reference, "Decrypt", Errors: another encryption context is an invalid ciphertext too.
const ALTERED = new Set(["InvalidCiphertextException", "IncorrectKeyException"])
const UNUSABLE = new Set([
  "NotFoundException",
  "DisabledException",
  "KMSInvalidStateException",
  "InvalidKeyUsageException",
  "InvalidArnException",
  "ValidationException",
])
const DENIED = new Set([
  "AccessDeniedException",
  "UnrecognizedClientException",
  "InvalidSignatureException",
  "IncompleteSignature",
  "MissingAuthenticationTokenException",
  "ExpiredTokenException",
  "InvalidClientTokenId",
  "OptInRequired",
  "CredentialsProviderError",
  "TokenProviderError",
])
const THROTTLED = new Set(["ThrottlingException", "LimitExceededException", "RequestLimitExceeded"])

/** Whether KMS says that what it was to decrypt is not what it encrypted. */
export function isAltered(error: unknown): boolean {
  return error instanceof Error && ALTERED.has(error.name)
}

/**
 * What an error of the KMS client means to the user.
 *
 * @param action - follows "cannot", and is followed by the key.
 * @returns what is not the service's, the network's or the credentials' as it is: a bug.
 */
export function kmsError(error: unknown, action: string, arn: string): unknown {
  if (!(error instanceof Error) || error instanceof S3epError) return error
  const { name } = error
  const message = `cannot ${action} the KMS key ${arn}: ${error.message || name}`
  if (DENIED.has(name)) {
    return new DeniedError(message, {
      cause: error,
      hint: "kms:Encrypt writes and kms:Decrypt reads; both are granted by the key's policy and by IAM",
    })
  }
  if (UNUSABLE.has(name)) {
    return new KeyMissingError(message, {
      cause: error,
      hint: `aws kms describe-key --key-id ${arn}`,
    })
  }
  if (THROTTLED.has(name)) return new UnavailableError(message, { cause: error, transient: "throttled" })
  const answered = "$metadata" in error && isAnswered(error.$metadata)
  if (answered) return new UnavailableError(message, { cause: error, transient: "server" })
  const isNetwork = "code" in error || "$metadata" in error || name === "TimeoutError"
  return isNetwork ? new UnavailableError(message, { cause: error, transient: "network" }) : error
}

function isAnswered(metadata: unknown): boolean {
  return typeof metadata === "object" && metadata !== null && "httpStatusCode" in metadata
}
