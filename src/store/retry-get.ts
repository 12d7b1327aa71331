import { UnavailableError } from "../errors.ts"
import type { Again } from "./retry-loop.ts"
import type { GetOptions, ObjectAddress, ObjectBody, ObjectStore } from "./store.ts"

/** Reads an object; a body that breaks off goes on with what is left of the very same object. */
export async function getAgain(
  store: ObjectStore,
  again: Again,
  address: ObjectAddress,
  options: GetOptions = {},
): Promise<ObjectBody> {
  const what = `read s3://${address.bucket}/${address.key}`
  const first = await again.run(what, options.signal, () => store.get(address, options))
  const { info } = first
  const pinned = { ...options, ifMatch: info.etag, versionId: options.versionId ?? info.versionId }
  const rest = (start: number) =>
    again.run(what, options.signal, () =>
      store.get(address, { ...pinned, range: { start, end: first.range.end } }),
    )

  async function* body(): AsyncGenerator<Uint8Array> {
    let position = first.range.start
    let failures = again.failures(what, options.signal)
    for (let current = first.body; ; ) {
      try {
        for await (const slice of current) {
          position += slice.length
          failures = again.failures(what, options.signal)
          yield slice
        }
        return
      } catch (error) {
        if (!(error instanceof UnavailableError) || info.etag === "") throw error
        await failures.wait(error)
        if (position >= first.range.end) return
        current = (await rest(position)).body
      }
    }
  }
  return { ...first, body: released(body(), first.body) }
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
