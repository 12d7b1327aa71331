/**
 * Run `produce` on several items at once and hand out what they yield in the order of the items: what the first
 * unfinished one yields at once, the others' once it is their turn. What waits is bounded by `limit` items.
 *
 * The first failure, in the order of the items, ends the iteration; ending it early aborts the signal the others
 * hold. Either way nothing is running any more when the iteration is over.
 */
export async function* inOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  produce: (item: T, signal: AbortSignal) => AsyncIterable<R>,
  options: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<R, void, undefined> {
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, ...(options.signal ? [options.signal] : [])])
  const running: Channel<R>[] = []
  const source = eachOf(items)
  let more = true
  try {
    for (;;) {
      while (more && running.length < limit) {
        const next = await source.next()
        signal.throwIfAborted()
        if (next.done) more = false
        else running.push(new Channel(produce(next.value, signal)))
      }
      const head = running[0]
      if (!head) return
      yield* head.drain()
      signal.throwIfAborted()
      running.shift()
    }
  } finally {
    over.abort(new Error("the iteration is over"))
    await Promise.all(running.map((channel) => channel.finished))
    await source.return()
  }
}

/** Pulls all of an iterable at once, to be drained later. */
class Channel<R> {
  /** Never rejects. */
  readonly finished: Promise<void>
  #values: R[] = []
  #failure: { readonly error: unknown } | undefined
  #ended = false
  #wake: (() => void) | undefined

  constructor(values: AsyncIterable<R>) {
    this.finished = this.#fill(values)
  }

  async *drain(): AsyncGenerator<R, void, undefined> {
    for (;;) {
      const values = this.#values
      this.#values = []
      yield* values
      if (this.#values.length > 0) continue
      if (this.#failure) throw this.#failure.error
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async #fill(values: AsyncIterable<R>): Promise<void> {
    try {
      for await (const value of values) {
        this.#values.push(value)
        this.#wake?.()
      }
    } catch (error) {
      this.#failure = { error }
    }
    this.#ended = true
    this.#wake?.()
  }
}

async function* eachOf<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void, undefined> {
  yield* items
}
