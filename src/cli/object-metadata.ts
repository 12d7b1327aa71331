import { open } from "node:fs/promises"
import { UsageError } from "../errors.ts"
import { localError } from "../files/local-error.ts"

/** S3 allows 2 KiB of user metadata; what `head-object` prints around it is not much more. */
const MAX_BYTES = 256 * 1024

/**
 * The user metadata of an object, from a file: an object of names and values, or what `aws s3api head-object` prints,
 * which has such an object as its `Metadata`.
 *
 * @returns lower-case names.
 * @throws {UsageError} if it is neither; {LocalIoError} if it cannot be read.
 */
export async function readObjectMetadata(path: string): Promise<Record<string, string>> {
  const json = parse(await readText(path))
  const members = isObject(json) && isObject(json["Metadata"]) ? json["Metadata"] : json
  if (!isObject(members)) throw unusable(path, "it is not a JSON object")
  return Object.fromEntries(
    Object.entries(members).map(([name, value]) => {
      if (typeof value !== "string") throw unusable(path, `${JSON.stringify(name)} is not text`)
      return [name.toLowerCase().replace(/^x-amz-meta-/, ""), value]
    }),
  )
}

async function readText(path: string): Promise<string> {
  try {
    await using file = await open(path)
    const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(MAX_BYTES + 1) })
    if (bytesRead > MAX_BYTES) throw unusable(path, "it is too large")
    return buffer.toString("utf8", 0, bytesRead)
  } catch (error) {
    throw localError("read", path, error)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function unusable(path: string, why: string): UsageError {
  return new UsageError(`cannot use ${path} as the metadata of an object: ${why}`, {
    hint: "aws s3api head-object --bucket BUCKET --key KEY prints what is taken here",
  })
}
