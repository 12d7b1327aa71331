import { UsageError } from "../../errors.ts"
import type { uploadFile } from "../../transfer/upload.ts"
import type { uploadStream } from "../../transfer/upload-stream.ts"
import type { Session } from "../session.ts"
import type { PutOptions } from "./put-plan.ts"

/** How files and streams become objects that the proxy reads. */
export interface ProxyUploads {
  readonly ofFile: typeof uploadFile
  readonly ofStream: typeof uploadStream
}

/**
 * `put --format s3-encryption-proxy`.
 *
 * @returns null if the objects are to be in our own format.
 * @throws {UsageError} if there is no configuration of a proxy that encrypts, or an option means nothing to its format.
 */
export async function proxyUploads(session: Session, { format }: PutOptions): Promise<ProxyUploads | null> {
  if (format !== "s3-encryption-proxy") return null
  const proxy = await session.proxyKeys()
  if (!proxy) {
    throw new UsageError("writing for S3 Encryption Proxy takes its keys", {
      hint: "name its configuration: --proxy-config FILE",
    })
  }
  const { origins } = session.resolved
  for (const [setting, option] of [
    ["kek", "--kek"],
    ["chunkSize", "--chunk-size"],
  ] as const) {
    if (origins[setting].kind === "option") {
      throw new UsageError(`${option} means nothing to the format of S3 Encryption Proxy`)
    }
  }
  session.interruptionHint =
    "run the same command again: the format cannot be gone on with, so what is unfinished starts over"
  const writer = proxy.writer()
  const { uploadForProxy, uploadStreamForProxy } = await import("../../transfer/upload-proxy.ts")
  session.output.notice(
    "the format of S3 Encryption Proxy is weaker than ours: DEKs are wrapped without authentication, objects from 5 MiB " +
      "on are not bound to their keys, an interrupted upload starts over, and names, modes and times are not kept",
  )
  return {
    ofFile: (context, request, memory) => uploadForProxy(context, request, writer, memory),
    ofStream: (context, request) => uploadStreamForProxy(context, request, writer),
  }
}
