/**
 * Run `work` on every item, at most `limit` at once. Items are pulled one at a time, so memory
 * stays at `limit` items. The first failure aborts the signal the others hold, and is rethrown
 * once all of them have stopped.
 */
export async function forEachConcurrent<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T, signal: AbortSignal) => Promise<void>,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  const failure = new AbortController()
  const signal = AbortSignal.any([failure.signal, ...(options.signal ? [options.signal] : [])])
  const source = asynchronously(items)
  const worker = async (): Promise<void> => {
    signal.throwIfAborted()
    for (let next = await source.next(); !next.done; next = await source.next()) {
      signal.throwIfAborted()
      await work(next.value, signal)
    }
  }
  const stop = (error: unknown): void => {
    failure.abort(error)
  }
  await Promise.all(Array.from({ length: limit }, () => worker().catch(stop)))
  await source.return(undefined)
  failure.signal.throwIfAborted()
}

// A generator answers overlapping calls of next() one after the other, which not every iterator does.
async function* asynchronously<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void, undefined> {
  yield* items
}
