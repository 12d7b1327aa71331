import { UnavailableError } from "../errors.ts"
import { type Again, gaveUp } from "./retry-loop.ts"
import type { ByteRange, GetOptions, ObjectAddress, ObjectBody, ObjectStore } from "./store.ts"

// A store may break off after every few bytes, and would be asked for each of them for ever.
const MEAGRE_BYTES = 16_384
const MAX_MEAGRE = 100

/**
 * Reads an object; a body that breaks off goes on with what is left of the very same object. No answer is believed
 * that is not the one asked for: its range, and a body neither shorter nor longer than that.
 */
export async function getAgain(
  store: ObjectStore,
  again: Again,
  address: ObjectAddress,
  options: GetOptions = {},
): Promise<ObjectBody> {
  const what = `read s3://${address.bucket}/${address.key}`
  const get = async (asked: GetOptions): Promise<ObjectBody> => {
    const answer = await store.get(address, asked)
    const objection = objectionTo(answer, asked.range)
    if (objection === null) return answer
    await answer.body[Symbol.asyncIterator]().return?.()
    throw garbled(what, objection)
  }
  const first = await again.run(what, options.signal, () => get(options))
  const { info } = first
  const pinned = { ...options, ifMatch: info.etag, versionId: options.versionId ?? info.versionId }
  const rest = (start: number) =>
    again.run(what, options.signal, async () => {
      const answer = await get({ ...pinned, range: { start, end: first.range.end } })
      if (answer.info.etag === info.etag && answer.info.bytes === info.bytes) return answer
      await answer.body[Symbol.asyncIterator]().return?.()
      throw garbled(what, "the store went on with another object")
    })

  async function* body(): AsyncGenerator<Uint8Array> {
    let position = first.range.start
    let failedAt = position
    let meagre = 0
    let failures = again.failures(what, options.signal)
    for (let current = first.body; ; ) {
      try {
        for await (const slice of current) {
          if (position + slice.length > first.range.end) {
            throw garbled(what, "the store sent more than was asked for")
          }
          position += slice.length
          failures = again.failures(what, options.signal)
          yield slice
        }
        if (position === first.range.end) return
        throw garbled(what, `the store ended its answer ${first.range.end - position} bytes early`)
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error
        // Nothing is left to ask for where there was too much; and what has no ETag may be another object by now.
        const over = error.transient === "garbled" && position >= first.range.end
        if (over || info.etag === "") throw gaveUp(error, 1)
        meagre = position - failedAt < MEAGRE_BYTES ? meagre + 1 : 0
        failedAt = position
        if (meagre > MAX_MEAGRE) throw gaveUp(error, meagre)
        await failures.wait(error)
        if (position >= first.range.end) return
        current = (await rest(position)).body
      }
    }
  }
  return { ...first, body: released(body(), first.body) }
}

function objectionTo({ info, range }: ObjectBody, asked: ByteRange | undefined): string | null {
  const start = asked?.start ?? 0
  const end = Math.min(asked?.end ?? info.bytes, info.bytes)
  if (range.start === start && range.end === end) return null
  return `the store sent bytes ${range.start} to ${range.end} of ${info.bytes} when asked for ${start} to ${end}`
}

function garbled(what: string, why: string): UnavailableError {
  return new UnavailableError(`cannot ${what}: ${why}`, { transient: "garbled" })
}

/** Gives up the answer's connection even if nobody read from it. */
function released(
  slices: AsyncGenerator<Uint8Array>,
  first: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let started = false
  const iterator: AsyncIterator<Uint8Array> = {
    next() {
      started = true
      return slices.next()
    },
    async return() {
      if (!started) await first[Symbol.asyncIterator]().return?.()
      return slices.return(undefined)
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}
