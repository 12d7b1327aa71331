/** A number of things at once that may change while they are under way. */
export interface Limit {
  /** At least 1. */
  readonly current: number
  /** Has `raised` called whenever there may be more. */
  onRaised(raised: () => void): void
}

/**
 * Run `work` on every item, at most `limit` at once. Items are pulled one at a time, so memory
 * stays at `limit` items. The first failure aborts the signal the others hold, and is rethrown
 * once all of them have stopped.
 *
 * @throws {RangeError} if the limit is below 1: a caller's bug.
 */
export async function forEachConcurrent<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number | Limit,
  work: (item: T, signal: AbortSignal) => Promise<void>,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  const failure = new AbortController()
  const signal = AbortSignal.any([failure.signal, ...(options.signal ? [options.signal] : [])])
  const source = asynchronously(items)
  const atMost = (): number => (typeof limit === "number" ? limit : limit.current)
  if (!(atMost() >= 1)) throw new RangeError(`${atMost()} at once`)
  const over = Promise.withResolvers<void>()
  let workers = 0
  let more = true
  const worker = async (): Promise<void> => {
    workers++
    try {
      signal.throwIfAborted()
      while (workers <= atMost()) {
        const next = await source.next()
        if (next.done) more = false
        if (next.done) return
        signal.throwIfAborted()
        await work(next.value, signal)
      }
    } catch (error) {
      more = false
      failure.abort(error)
    } finally {
      workers--
      if (workers === 0) over.resolve()
    }
  }
  const fill = (): void => {
    while (more && workers < atMost()) void worker()
  }
  if (typeof limit !== "number") limit.onRaised(fill)
  fill()
  await over.promise
  await source.return(undefined)
  failure.signal.throwIfAborted()
}

// A generator answers overlapping calls of next() one after the other, which not every iterator does.
async function* asynchronously<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void, undefined> {
  yield* items
}
