import { bucketHandlers } from "./buckets.ts"
import { completeHandlers } from "./complete.ts"
import type { Context, Handlers, S3Response } from "./context.ts"
import { copyHandlers } from "./copy.ts"
import type { Dialect } from "./dialect.ts"
import { S3Error } from "./errors.ts"
import { listingHandlers } from "./listing.ts"
import { multipartHandlers } from "./multipart.ts"
import { objectHandlers } from "./objects.ts"
import { openPayload } from "./payload.ts"
import { checkPolicy, checkRequestPayer } from "./policy.ts"
import type { S3Request } from "./request.ts"
import { authenticate, type ServerCredentials } from "./sigv4.ts"
import type { Store } from "./store.ts"
import { subresourceHandlers } from "./subresources.ts"
import { uploadListingHandlers } from "./upload-listing.ts"
import { renderErrorXml, XML_DECLARATION } from "./xml.ts"

const handlers: Handlers = {
  ...bucketHandlers,
  ...listingHandlers,
  ...objectHandlers,
  ...copyHandlers,
  ...multipartHandlers,
  ...completeHandlers,
  ...uploadListingHandlers,
  ...subresourceHandlers,
}

/** What a server is made of; tests may change the credentials and the dialect while it runs. */
export interface Service {
  store: Store
  dialect: Dialect
  credentials: ServerCredentials[]
  region: string
  clock: () => number
}

/**
 * Serve one request: who asks, may they, and what they ask for.
 *
 * @throws {S3Error} for every refusal.
 */
export async function handle(request: S3Request, service: Service): Promise<S3Response> {
  const { store, dialect, credentials, region, clock } = service
  const nowMs = clock()
  const authentication = authenticate(request, {
    credentials,
    nowMs,
    region,
    foreignRegion: dialect.foreignRegion,
  })
  const handler = handlers[request.operation]
  if (handler === undefined) throw new S3Error("NotImplemented", `${request.operation} is not implemented`)
  let charged: Record<string, string> = {}
  if (request.bucket !== undefined && store.has(request.bucket)) {
    const bucket = store.bucket(request.bucket)
    checkPolicy(bucket, request)
    charged = checkRequestPayer(bucket, request)
  }
  const payload = openPayload(request, authentication, dialect)
  const context: Context = { request, payload, store, dialect, region, nowMs }
  const response = await handler(context)
  return { ...response, headers: { ...response.headers, ...charged } }
}

/** The answer to a refusal. HEAD and 304 have no body, so the code is lost there, as with S3. */
export function errorResponse(
  error: S3Error,
  request: { id: string; path: string; method: string },
): S3Response {
  if (request.method === "HEAD" || error.status === 304)
    return { status: error.status, headers: { ...error.headers } }
  const body = renderErrorXml({
    Code: error.code,
    Message: error.message,
    ...error.details,
    Resource: request.path,
    RequestId: request.id,
    HostId: "s3-server",
  })
  return {
    status: error.status,
    headers: { "content-type": "application/xml", ...error.headers },
    body: XML_DECLARATION + body,
  }
}
