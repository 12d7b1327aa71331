import {
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from "@aws-sdk/client-s3"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import type { Route } from "./s3-direct.ts"
import type { DirectOutput } from "./s3-direct-answer.ts"
import type { DirectInput, DirectOperation, ListingInput } from "./s3-direct-request.ts"
import { connectionAgents, type HttpOptions, isAnswer } from "./s3-http.ts"
import { learnRoutes } from "./s3-learn-route.ts"
import { limitDocument } from "./s3-limit.ts"
import type { ListingOutput } from "./s3-listing-document.ts"
import { addPayloadHeaders, bodyInput, type Payload } from "./s3-payload.ts"
import type { S3StoreOptions } from "./s3-session.ts"
import { S3Sha256 } from "./s3-sha256.ts"

// Loaded when a request is the SDK's; see `S3Session`.

const nothing = () => undefined
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing }

export interface ConnectionSettings {
  readonly connections: number
  readonly connectMs: number
  readonly silenceMs: number
}

/** The SDK's HTTP layer, which the clients of a store share. */
export function sdkConnections({ connections, connectMs, silenceMs }: ConnectionSettings): NodeHttpHandler {
  return new NodeHttpHandler({
    ...connectionAgents(connections),
    connectionTimeout: connectMs,
    socketTimeout: silenceMs,
  })
}

/** A client of the SDK for one region. */
export function createClient(
  options: S3StoreOptions,
  given: {
    region: string
    endpoint: string | undefined
    requestHandler: NodeHttpHandler
    onAnswer: (headers: Readonly<Record<string, string>>) => void
    onRoute: (bucket: string, route: Route) => void
  },
): S3Client {
  const { endpoint } = given
  const config: S3ClientConfig = {
    region: given.region,
    forcePathStyle: usesPathStyle(options, endpoint),
    useAccelerateEndpoint: options.accelerate ?? false,
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // With the agents given below the SDK sends the body without waiting; the header would only confuse.
    expectContinueHeader: false,
    requestHandler: given.requestHandler,
    sha256: S3Sha256,
    // Or the SDK writes warnings to stderr.
    logger: silent,
    ...(endpoint !== undefined && { endpoint }),
    ...(options.profile !== undefined && { profile: options.profile }),
    ...(options.credentials && { credentials: options.credentials }),
    ...(options.userAgent !== undefined && { customUserAgent: options.userAgent }),
  }
  const client = new S3Client(config)
  addPayloadHeaders(client)
  learnRoutes(client, given.onRoute)
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args)
        const headers = headersOf(result.response)
        if (headers) given.onAnswer(headers)
        limitDocument(result.response, commandName)
        return result
      },
    { step: "deserialize", name: "lookAtAnswer", priority: "low" },
  )
  return client
}

/** Whether buckets are part of the path and not of the host's name. */
function usesPathStyle(
  { pathStyle, accelerate }: Pick<S3StoreOptions, "pathStyle" | "accelerate">,
  endpoint: string | undefined,
): boolean {
  return (pathStyle ?? endpoint !== undefined) && !accelerate
}

/** What `Direct` leaves to the SDK. */
export async function askSdk(
  client: S3Client,
  operation: DirectOperation,
  input: DirectInput,
  payload: Payload | undefined,
  http: HttpOptions,
): Promise<DirectOutput> {
  const whole = { ...input, ...(payload && bodyInput(payload)) }
  switch (operation) {
    case "GetObject": {
      const output = await client.send(new GetObjectCommand(whole), http)
      // What a socket was read into is never part of Node's pool.
      return { ...output, ownMemory: isAnswer(output.Body) }
    }
    case "HeadObject":
      return client.send(new HeadObjectCommand(whole), http)
    case "PutObject":
      return client.send(new PutObjectCommand(whole), http)
    case "UploadPart":
      // Its number and the upload's name are in the input; the type of a direct one does not say so.
      return client.send(
        new UploadPartCommand({ UploadId: undefined, PartNumber: undefined, ...whole }),
        http,
      )
  }
}

/** A page that `Direct` leaves to the SDK, or does not understand. */
export async function listWithSdk(
  client: S3Client,
  input: ListingInput,
  http: HttpOptions,
): Promise<ListingOutput> {
  return client.send(new ListObjectsV2Command(input), http)
}

export async function headBucket(client: S3Client, bucket: string, http: HttpOptions): Promise<void> {
  await client.send(new HeadBucketCommand({ Bucket: bucket }), http)
}

export interface Configured {
  readonly region: string
  readonly endpoint: string | undefined
}

/** What the environment and the AWS profile say; the SDK finds and reads them. */
export async function configured(profile: string | undefined): Promise<Configured> {
  const client = new S3Client(profile === undefined ? {} : { profile })
  try {
    // S3-compatible services mostly take any region, and AWS says where a bucket is.
    const region = await client.config.region().catch(() => "us-east-1")
    const endpoint = await client.config.serviceConfiguredEndpoint?.().catch(() => undefined)
    return { region, endpoint }
  } finally {
    client.destroy()
  }
}

/** Ask for credentials anew. @returns whether there are other ones now. */
export async function renewed(client: S3Client): Promise<boolean> {
  try {
    const before = await client.config.credentials()
    const after = await client.config.credentials({ forceRefresh: true })
    return before.sessionToken !== after.sessionToken || before.accessKeyId !== after.accessKeyId
  } catch {
    return false
  }
}

function headersOf(response: unknown): Record<string, string> | undefined {
  const headers =
    typeof response === "object" && response !== null ? Reflect.get(response, "headers") : undefined
  if (typeof headers !== "object" || headers === null) return undefined
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
