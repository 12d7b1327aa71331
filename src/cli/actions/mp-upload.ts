import { basename, resolve } from "node:path"
import { UsageError } from "../../errors.ts"
import { objectUri } from "../../transfer/naming.ts"
import { planUpload } from "../../transfer/plan.ts"
import { openSource } from "../../transfer/source.ts"
import { uploadFile } from "../../transfer/upload.ts"
import { checkKey, isPrefix, parseAddress, parsePlace } from "../address.ts"
import type { Session } from "../session.ts"
import { counted, formatBytes } from "../text.ts"
import { readWriteOptions, type WriteOptions } from "../write-options.ts"
import { stored } from "./stored.ts"

export interface MpUploadOptions extends WriteOptions {
  readonly dryRun?: boolean
  /** `--no-resume` makes it false. */
  readonly resume: boolean
}

/** `mp-upload FILE DEST`. */
export async function mpUpload(
  session: Session,
  file: string,
  dest: string,
  options: MpUploadOptions,
): Promise<void> {
  const place = parsePlace(file)
  if (place.kind !== "path") {
    throw new UsageError(`mp-upload takes a file, and ${file} is not one`, {
      hint:
        place.kind === "stdio"
          ? "for standard input, use `s3ep put -`"
          : "the file comes first, then s3://BUCKET/KEY",
    })
  }
  const { bucket, key: given } = parseAddress(dest)
  const key = isPrefix({ bucket, key: given }) ? `${given}${basename(file)}` : given
  checkKey(key)
  const address = { bucket, key }
  const path = resolve(session.io.cwd, file)
  const wishes = { ...(await readWriteOptions(session, options)), multipart: true }
  session.interruptionHint =
    "run the same command again, or `s3ep mp-upload resume --all`, to resume where it stopped"
  if (!options.dryRun) {
    const context = await session.transfer("both", [address])
    stored(
      session,
      file,
      await uploadFile(context, { ...wishes, path, item: file, address, resume: options.resume }),
    )
    return
  }
  const { store, signal } = await session.transfer("none")
  await using source = await openSource(path)
  const limits = await store.limits(bucket, { signal, requesterPays: wishes.requesterPays })
  const { layout, concurrency } = planUpload(source.bytes, limits, wishes)
  const { plaintextBytes: bytes, ciphertextBytes: storedBytes, segments: parts, chunkBytes } = layout
  const line = {
    type: "planned",
    action: "store",
    source: file,
    uri: objectUri(address),
    bytes,
    storedBytes,
    parts,
    partPlaintextBytes: Math.min(bytes, layout.chunksPerSegment * chunkBytes),
    chunkBytes,
    concurrency,
  }
  session.output.report(line, ({ source, uri, bytes, storedBytes, parts, partPlaintextBytes, concurrency }) =>
    [
      `would store ${source} (${formatBytes(bytes)}) as ${uri}`,
      `in ${counted(parts, "part")} of ${formatBytes(partPlaintextBytes)}, ${concurrency} at once; ${formatBytes(storedBytes)} stored`,
    ].join("\n"),
  )
}
