import { originOf } from "./http/pool.ts"
import type { Route } from "./s3-direct.ts"
import type { S3StoreOptions } from "./s3-session.ts"
import { type Credentials, S3Signer } from "./s3-signature.ts"

/**
 * Where the requests for a bucket go, where no rules of Amazon's have to be known to tell: to an endpoint that was given,
 * with the bucket in the path, signed with credentials that were given or are in the environment.
 *
 * @param region - "" for the configured one.
 * @returns null if the SDK has to tell.
 */
export function routeTo(
  bucket: string,
  endpoint: string | undefined,
  region: string,
  options: Pick<S3StoreOptions, "pathStyle" | "accelerate" | "credentials" | "profile" | "userAgent">,
): Route | null {
  const { pathStyle = true, accelerate = false, userAgent } = options
  const signingRegion = region || process.env["AWS_REGION"]
  const credentials = givenCredentials(options)
  if (!endpoint || !URL.canParse(endpoint) || !pathStyle || accelerate || !signingRegion || !credentials) {
    return null
  }
  const { protocol, hostname, port, host, pathname, username, search } = new URL(endpoint)
  const encrypted = protocol === "https:"
  const isPlain = /^[a-z0-9][a-z0-9.-]+$/.test(bucket)
  if ((!encrypted && protocol !== "http:") || username !== "" || search !== "" || !isPlain) return null
  return {
    origin: originOf(encrypted, hostname, port === "" ? undefined : Number(port)),
    host,
    base: `${pathname.replace(/\/$/, "")}/${bucket}/`,
    userAgent: { "user-agent": userAgent ?? "s3ep" },
    signer: new S3Signer(signingRegion),
    credentials: async () => credentials,
  }
}

/** Those that need not be looked for, and do not expire unnoticed. */
function givenCredentials({
  credentials,
  profile,
}: Pick<S3StoreOptions, "credentials" | "profile">): Credentials | null {
  if (credentials) return typeof credentials === "object" && !credentials.expiration ? credentials : null
  const {
    AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY,
    AWS_SESSION_TOKEN,
    AWS_PROFILE,
    AWS_CREDENTIAL_EXPIRATION,
  } = process.env
  if (profile !== undefined || AWS_PROFILE || AWS_CREDENTIAL_EXPIRATION) return null
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return null
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    sessionToken: AWS_SESSION_TOKEN,
  }
}
