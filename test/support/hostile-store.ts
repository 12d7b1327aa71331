import type {
  GetOptions,
  ObjectAddress,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  ReadOptions,
} from "../../src/store/store.ts"

/** How a store lies about one object: what it gives instead of an honest answer. */
export interface StoreLie {
  /** Instead of the stored bytes, whole: ranges are cut from it, and lengths said accordingly. */
  readonly bytes?: ((stored: Uint8Array) => Uint8Array) | undefined
  /** Instead of what the store says about it; called with the number of the request, from 1. */
  readonly info?: ((info: ObjectInfo, request: number) => ObjectInfo) | undefined
  /** Instead of the answer to a request for a range. */
  readonly answer?: ((answer: ObjectBody, asked: GetOptions, request: number) => ObjectBody) | undefined
}

export interface HostileStore extends ObjectStore {
  readonly lies: Map<string, StoreLie>
  /** Bytes of bodies that were taken from it. */
  readonly takenBytes: number
  readonly reads: number
}

/** A store that is `store` but for the keys it lies about. */
export function hostileStore(store: ObjectStore): HostileStore {
  const lies = new Map<string, StoreLie>()
  let takenBytes = 0
  let reads = 0

  async function whole(
    address: ObjectAddress,
    options: ReadOptions,
  ): Promise<{ info: ObjectInfo; bytes: Uint8Array }> {
    const { info, body } = await store.get(address, {
      customerKey: options.customerKey,
      signal: options.signal,
    })
    const pieces: Uint8Array[] = []
    for await (const piece of body) pieces.push(piece)
    return { info, bytes: Buffer.concat(pieces) }
  }

  async function* counted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      takenBytes += piece.length
      yield piece
    }
  }

  async function get(address: ObjectAddress, options: GetOptions = {}): Promise<ObjectBody> {
    reads += 1
    const lie = lies.get(address.key)
    if (!lie) return store.get(address, options)
    const honest = await whole(address, options)
    const bytes = lie.bytes?.(honest.bytes) ?? honest.bytes
    const said = { ...honest.info, bytes: bytes.length }
    const info = lie.info?.(said, reads) ?? said
    const start = options.range?.start ?? 0
    const end = Math.max(start, Math.min(options.range?.end ?? bytes.length, bytes.length))
    async function* body(): AsyncGenerator<Uint8Array> {
      for (let at = start; at < end; at += 10_000) yield bytes.slice(at, Math.min(at + 10_000, end))
    }
    const answer: ObjectBody = { info, range: { start, end }, body: body() }
    const given = lie.answer?.(answer, options, reads) ?? answer
    return { ...given, body: counted(given.body) }
  }

  const own = {
    lies,
    get takenBytes() {
      return takenBytes
    },
    get reads() {
      return reads
    },
    get,
    async head(address: ObjectAddress, options: ReadOptions = {}) {
      if (!lies.has(address.key)) return store.head(address, options)
      const { info, body } = await get(address, options)
      await body[Symbol.asyncIterator]().return?.()
      return info
    },
  }
  return new Proxy(own as HostileStore, {
    get(target, name) {
      if (name in target) return Reflect.get(target, name)
      const member: unknown = Reflect.get(store, name)
      return typeof member === "function" ? member.bind(store) : member
    },
  })
}
