/**
 * A source that stops waiting when the signal is aborted, even where what it waits for (an idle pipe, say) never
 * comes.
 *
 * @throws the signal's reason, from `next()`.
 */
export function abortable<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncIterableIterator<T, void> {
  const inner = source[Symbol.asyncIterator]()
  let waiting = false
  const iterator: AsyncIterableIterator<T, void> = {
    [Symbol.asyncIterator]: () => iterator,
    next: () =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason)
          return
        }
        const stop = (): void => reject(signal.reason)
        signal.addEventListener("abort", stop, { once: true })
        waiting = true
        const settled = (): void => {
          waiting = false
          signal.removeEventListener("abort", stop)
        }
        inner.next().then(
          (result) => {
            settled() // before whoever waits can ask for the next one
            resolve(result)
          },
          (error: unknown) => {
            settled()
            reject(error)
          },
        )
      }),
    return: async () => {
      const ended = inner.return?.()
      // A generator ends only after what it waits for, and nobody is interested in how any more.
      if (waiting) ended?.catch(() => undefined)
      else await ended
      return { done: true, value: undefined }
    },
  }
  return iterator
}
