/** How this server differs from S3; every default is what S3 does. */
export interface Dialect {
  /** If-Match and If-None-Match on PutObject; `501`: NotImplemented. */
  conditionalPut: "honoured" | "ignored" | "501"
  conditionalComplete: "honoured" | "ignored" | "501"
  /**
   * x-amz-copy-source-if-* on CopyObject and UploadPartCopy; `rgw`: on CopyObject only, and as x-amz-copy-if-match,
   * as RGW 16 and 18 have it.
   */
  copySourceIfMatch: "honoured" | "ignored" | "501" | "rgw"
  /** If-Match and If-None-Match on CopyObject's target. */
  conditionalCopy: "honoured" | "ignored" | "501"
  /** Whether a copy has its source's tags unless it is told others; `forgotten`: it has none, told or not (RGW 16). */
  copyTags: "kept" | "forgotten"
  /** aws-chunked bodies with a trailer: `411` MissingContentLength, `501` NotImplemented. */
  trailers: "ok" | "411" | "501"
  /**
   * Checksum headers of every algorithm, CRC32 being the one clients send unasked: `refused` 400
   * InvalidArgument, `501` NotImplemented, `ignored` accepted, unchecked and not returned.
   */
  crc32: "ok" | "refused" | "501" | "ignored"
  /** The highest part number. */
  maxParts: number
  /** Every part but the last must have at least this size. Lower it to keep tests small. */
  minPartBytes: number
  /** Complete refuses parts of unequal sizes, the last one aside. */
  equalPartSizes: boolean
  /** Limit of a single user metadata value. */
  maxMetadataValueBytes: number
  /** Limit of all user metadata, names and values. */
  maxMetadataBytes: number
  serverHeader: string
  /**
   * `md5` of the bytes, or something else, as everywhere under SSE-KMS. An MD5 takes as long as all the rest
   * of a PUT, so this is also the faster server.
   */
  etags: "md5" | "opaque"
  /** Accept `bucket.host` besides `host/bucket`. */
  virtualHost: boolean
  /** What a request for an upload that is gone is told. */
  missingUploadCode: "NoSuchUpload" | "NoSuchKey"
  /** A second Complete of one upload: the answer of the first one, or NoSuchUpload. */
  secondComplete: "200" | "NoSuchUpload"
  /** Complete answers 200 and white space at once, and its result or its error later in that body. */
  lateCompleteWhitespace: boolean
  /** Requests signed for another region: served, or 400 AuthorizationHeaderMalformed. */
  foreignRegion: "accepted" | "refused"
}

export const s3Dialect: Readonly<Dialect> = {
  conditionalPut: "honoured",
  conditionalComplete: "honoured",
  copySourceIfMatch: "honoured",
  conditionalCopy: "honoured",
  copyTags: "kept",
  trailers: "ok",
  crc32: "ok",
  maxParts: 10_000,
  minPartBytes: 5 * 1024 * 1024,
  equalPartSizes: false,
  maxMetadataValueBytes: 2048,
  maxMetadataBytes: 2048,
  serverHeader: "AmazonS3",
  etags: "md5",
  virtualHost: true,
  missingUploadCode: "NoSuchUpload",
  secondComplete: "200",
  lateCompleteWhitespace: false,
  foreignRegion: "accepted",
}
