import type { StoreLimits } from "./store.ts"

const MiB = 1024 ** 2
const GiB = 1024 ** 3
const TiB = 1024 ** 4

export const serviceNames = [
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
] as const

export type ServiceName = (typeof serviceNames)[number]

/**
 * What a service may do or not: the conditions it honours, whether it takes a CRC-32 with what it is sent
 * (`checksum`), takes one behind a streamed part (`trailers`), keeps those of an upload's parts, so that Complete has
 * to name them (`part-checksums`), and checks the CRC-32 of the whole (`full-object`). Of copies: whether it honours
 * the condition on the source (`copy-source-if-match`), that condition by the name RGW gives it (`copy-if-match`),
 * the one on what is replaced (`copy-target-if-match`), and whether tags come along (`copy-tags`). `upload-tags`:
 * whether those of an upload in parts do.
 */
export const features = [
  "put-if-none-match",
  "put-if-match",
  "complete-if-none-match",
  "complete-if-match",
  "copy-source-if-match",
  "copy-if-match",
  "copy-target-if-match",
  "copy-tags",
  "upload-tags",
  "checksum",
  "part-checksums",
  "full-object",
  "trailers",
  "sse-c",
  "object-lock",
] as const

export type Feature = (typeof features)[number]

type SizeLimits = Omit<StoreLimits, "conditionalPut" | "conditionalComplete" | "trailers">

export interface ServiceProfile {
  readonly name: ServiceName
  /** As a user would write it. */
  readonly title: string
  readonly limits: SizeLimits
  /** Answers known beforehand; what is not here has to be asked or tried. */
  readonly features: Partial<Record<Feature, boolean>>
}

// S3 User Guide, "Amazon S3 multipart upload limits": 10,000 parts of at most 5 GiB make the largest object.
const s3: SizeLimits = {
  maxParts: 10_000,
  minPartBytes: 5 * MiB,
  maxPartBytes: 5 * GiB,
  maxPutBytes: 5 * GiB,
  maxObjectBytes: 5 * TiB,
  maxMetadataBytes: 2048,
  maxMetadataValueBytes: 2048,
}

const allConditions = {
  "put-if-none-match": true,
  "put-if-match": true,
  "complete-if-none-match": true,
  "complete-if-match": true,
}

const profiles: Record<ServiceName, Omit<ServiceProfile, "name">> = {
  aws: {
    title: "Amazon S3",
    limits: { ...s3, maxObjectBytes: 10_000 * 5 * GiB },
    features: {
      ...allConditions,
      "copy-source-if-match": true,
      "copy-target-if-match": true,
      "copy-tags": true,
      "upload-tags": true,
      checksum: true,
      "part-checksums": true,
      "full-object": true,
      trailers: true,
      "sse-c": true,
      "object-lock": true,
    },
  },
  // Cloudflare's documentation, "R2 limits": all a little below S3's.
  r2: {
    title: "Cloudflare R2",
    limits: {
      ...s3,
      maxPartBytes: 5 * GiB - 5 * MiB,
      maxPutBytes: 5 * GiB - 5 * MiB,
      maxObjectBytes: 5 * TiB - 5 * GiB,
    },
    features: { "put-if-none-match": true, "put-if-match": true },
  },
  b2: {
    title: "Backblaze B2",
    limits: { ...s3, maxPartBytes: 5_000_000_000, maxPutBytes: 5_000_000_000 },
    features: {},
  },
  minio: { title: "MinIO", limits: s3, features: { "part-checksums": true, trailers: true } },
  // RGW 16 and 18, measured: Complete ignores conditions, PutObject refuses a right If-Match. Copies and uploads in
  // parts forget tags (RGW 16); a copy calls the condition on its source x-amz-copy-if-match.
  ceph: { title: "Ceph RGW", limits: s3, features: { "copy-tags": false, "upload-tags": false } },
  // Swift 2.30, measured: 1,000 parts, 256 bytes of each value, SSE-C and Object Lock accepted and ignored.
  swift: {
    title: "OpenStack Swift",
    limits: { ...s3, maxParts: 1000, maxObjectBytes: 1000 * 5 * GiB, maxMetadataValueBytes: 256 },
    features: {
      "put-if-none-match": false,
      "put-if-match": false,
      "copy-if-match": false,
      "part-checksums": false,
      trailers: false,
      "sse-c": false,
      "object-lock": false,
    },
  },
  wasabi: { title: "Wasabi", limits: s3, features: {} },
  // Scaleway's documentation, "Object Storage limits": 1,000 parts.
  scaleway: {
    title: "Scaleway",
    limits: { ...s3, maxParts: 1000, maxObjectBytes: 1000 * 5 * GiB },
    features: {},
  },
  gcs: { title: "Google Cloud Storage", limits: s3, features: { trailers: false } },
  // Unknown services get the narrowest value known, so that what is written can be kept anywhere.
  generic: { title: "an S3-compatible service", limits: { ...s3, maxMetadataValueBytes: 256 }, features: {} },
}

export function serviceProfile(name: ServiceName): ServiceProfile {
  return { name, ...profiles[name] }
}

const hosts: readonly (readonly [RegExp, ServiceName])[] = [
  [/(^|\.)s3[a-z0-9.-]*\.amazonaws\.com(\.cn)?$/, "aws"],
  [/\.r2\.cloudflarestorage\.com$/, "r2"],
  [/\.backblazeb2\.com$/, "b2"],
  [/\.wasabisys\.com$/, "wasabi"],
  [/\.scw\.cloud$/, "scaleway"],
  [/(^|\.)storage\.googleapis\.com$/, "gcs"],
]

/** The service behind an endpoint, if its host tells; null otherwise. No endpoint at all means AWS. */
export function serviceOfEndpoint(endpoint: string | undefined): ServiceName | null {
  if (endpoint === undefined) return "aws"
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname : ""
  return hosts.find(([pattern]) => pattern.test(host))?.[1] ?? null
}

/** The service that sent these headers (names in lower case), or null if they do not tell. */
export function serviceOfHeaders(headers: Readonly<Record<string, string | undefined>>): ServiceName | null {
  const server = headers["server"] ?? ""
  if (/^AmazonS3/.test(server)) return "aws"
  if (/^minio/i.test(server)) return "minio"
  if (/ceph/i.test(server)) return "ceph"
  if (/^WasabiS3/i.test(server)) return "wasabi"
  // Swift calls its transactions tx, 21 digits, a dash and 10 more; RGW adds its instance and its zone.
  const id = headers["x-amz-request-id"] ?? headers["x-trans-id"] ?? ""
  if (/^tx[0-9a-f]{20,}-[0-9a-f]{10}-[0-9a-f]+-/.test(id)) return "ceph"
  if (headers["x-openstack-request-id"] !== undefined || headers["x-trans-id"] !== undefined) return "swift"
  return null
}
