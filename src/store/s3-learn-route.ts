import type { S3Client } from "@aws-sdk/client-s3"
import { originOf } from "./http/pool.ts"
import type { Route } from "./s3-direct.ts"
import { encodeKey } from "./s3-direct-request.ts"
import { S3Signer } from "./s3-signature.ts"

type AuthScheme = NonNullable<Parameters<S3Client["config"]["signer"]>[0]>

/** A request of the SDK's, as far as it is looked at. */
interface SdkRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

const USER_AGENT = ["user-agent", "x-amz-user-agent"]
/** Of commands about one object, or about what is in a bucket. */
const LEARNED_FROM = new Set([
  "GetObjectCommand",
  "HeadObjectCommand",
  "ListObjectsV2Command",
  "PutObjectCommand",
  "UploadPartCommand",
])

/**
 * Learns from the SDK's requests where those for a bucket go, and how they are signed: it knows the rules of all of
 * Amazon's endpoints. Directory buckets and access points of several regions are signed otherwise and stay the SDK's.
 */
export function learnRoutes(client: S3Client, onRoute: (bucket: string, route: Route) => void): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const output = await next(args)
      const { commandName = "", authSchemes = [] } = context as {
        commandName?: string
        authSchemes?: readonly AuthScheme[]
      }
      if (LEARNED_FROM.has(commandName) && isRequest(args.request)) {
        const route = await routeOf(client, authSchemes, args.input, args.request)
        if (route) onRoute(String(Reflect.get(args.input, "Bucket")), route)
      }
      return output
    },
    { step: "build", priority: "low", name: "learnRoute" },
  )
}

async function routeOf(
  client: S3Client,
  schemes: readonly AuthScheme[],
  input: object,
  { protocol, hostname, port, path, headers }: SdkRequest,
): Promise<Route | null> {
  const [scheme, ...others] = schemes
  const key = encodeKey(String(Reflect.get(input, "Key") ?? ""))
  const isPlain = scheme?.name === "sigv4" && scheme.signingName === "s3" && others.length === 0
  if (!isPlain || !path.endsWith(`/${key}`) || !/^https?:$/.test(protocol)) return null
  const { config } = client
  return {
    origin: originOf(protocol === "https:", hostname, port),
    host: headers["host"] ?? hostname,
    base: path.slice(0, path.length - key.length),
    userAgent: Object.fromEntries(Object.entries(headers).filter(([name]) => USER_AGENT.includes(name))),
    signer: new S3Signer(scheme.signingRegion ?? (await config.region())),
    credentials: () => config.credentials(),
  }
}

function isRequest(request: unknown): request is SdkRequest {
  return typeof request === "object" && request !== null && "hostname" in request && "headers" in request
}
