/** HTTP status of every error code this server answers with; the codes are those of S3. */
const statusOf: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  ExpiredToken: 400,
  IncompleteBody: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidBucketState: 409,
  InvalidDigest: 400,
  InvalidObjectState: 403,
  InvalidPart: 400,
  InvalidPartNumber: 416,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidStorageClass: 400,
  InvalidTag: 400,
  InvalidToken: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  MissingSecurityHeader: 400,
  NoSuchBucket: 404,
  NoSuchBucketPolicy: 404,
  NoSuchConfiguration: 404,
  NoSuchKey: 404,
  NoSuchLifecycleConfiguration: 404,
  NoSuchObjectLockConfiguration: 404,
  NoSuchTagSet: 404,
  NoSuchUpload: 404,
  NoSuchVersion: 404,
  NotImplemented: 501,
  NotModified: 304,
  ObjectLockConfigurationNotFoundError: 404,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  ServerSideEncryptionConfigurationNotFoundError: 404,
  SignatureDoesNotMatch: 403,
  SlowDown: 503,
  XAmzContentSHA256Mismatch: 400,
}

/** What S3 would refuse. Becomes an XML answer, or a bare status on HEAD. */
export class S3Error extends Error {
  readonly code: string
  readonly status: number
  /** Further elements of the answer, such as `Region`. */
  readonly details: Readonly<Record<string, string>>
  /** Further headers of the answer, such as `x-amz-delete-marker`. */
  readonly headers: Readonly<Record<string, string>>
  constructor(
    code: string,
    message: string = code,
    more: { status?: number; details?: Record<string, string>; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.name = "S3Error"
    this.code = code
    this.status = more.status ?? statusOf[code] ?? 400
    this.details = more.details ?? {}
    this.headers = more.headers ?? {}
  }
}

/** @throws {S3Error} if the condition holds. */
export function refuseIf(condition: boolean, code: string, message?: string): void {
  if (condition) throw new S3Error(code, message)
}
