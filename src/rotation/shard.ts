import { utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import { UsageError } from "../errors.ts"

/** One of several machines that share the work. */
export interface Shard {
  /** From 0. */
  readonly index: number
  readonly count: number
}

const MAX_SHARDS = 100_000

/** Whether an object falls to a shard: by the hash of its key, so that each falls to exactly one. */
export function fallsTo(key: string, { index, count }: Shard): boolean {
  const digest = sha256(utf8(key))
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0) % count === index
}

/**
 * Read what `--shard` was given: `I/N`; or `auto` in an AWS Batch array job, and `auto/N` in a Kubernetes Indexed Job
 * too, which tells its pods their index and not how many there are.
 *
 * @throws {UsageError} if it is none of these, or the environment does not say.
 */
export function parseShard(given: string, env: Readonly<Record<string, string | undefined>>): Shard {
  const [, first = "", second] = /^(auto|\d+)(?:\/(\d+))?$/.exec(given) ?? []
  if (first === "" || (first !== "auto" && second === undefined)) {
    throw new UsageError(`${JSON.stringify(given)} is no shard`, {
      hint: "write it as I/N with I from 0 to N-1, as auto/N, or as auto in an AWS Batch array job",
    })
  }
  const told = fromEnvironment(env)
  if (first === "auto" && !told) {
    throw new UsageError("the environment does not say which shard this is", {
      hint: "a Kubernetes Indexed Job sets JOB_COMPLETION_INDEX, an AWS Batch array job AWS_BATCH_JOB_ARRAY_INDEX",
    })
  }
  const index = first === "auto" ? (told?.index ?? 0) : Number(first)
  const count = second === undefined ? told?.count : Number(second)
  if (count === undefined) {
    throw new UsageError("Kubernetes does not say how many shards there are", {
      hint: "give the Job's completions: --shard auto/N",
    })
  }
  if (first === "auto" && told?.count !== undefined && told.count !== count) {
    throw new UsageError(`--shard says ${count} shards, and the array job has ${told.count}`)
  }
  if (count < 1 || count > MAX_SHARDS || index >= count) {
    throw new UsageError(`there is no shard ${index} of ${count}`, {
      hint: `I is from 0 to N-1, and N at most ${MAX_SHARDS}`,
    })
  }
  return { index, count }
}

// AWS Batch User Guide, "AWS Batch job environment variables"; Kubernetes, "Jobs", "Completion mode".
function fromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): { index: number; count: number | undefined } | null {
  const batch = env["AWS_BATCH_JOB_ARRAY_INDEX"]
  if (isCount(batch)) {
    const size = env["AWS_BATCH_JOB_ARRAY_SIZE"]
    return { index: Number(batch), count: isCount(size) ? Number(size) : undefined }
  }
  const kubernetes = env["JOB_COMPLETION_INDEX"]
  return isCount(kubernetes) ? { index: Number(kubernetes), count: undefined } : null
}

function isCount(value: string | undefined): value is string {
  return value !== undefined && /^\d{1,9}$/.test(value)
}
