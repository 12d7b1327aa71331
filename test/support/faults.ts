import { UnavailableError } from "../../src/errors.ts"
import type { ObjectStore } from "../../src/store/store.ts"

export type StoreOperation = Exclude<keyof ObjectStore, "endpoint" | "close" | "limits">

export interface Fault {
  /** Which of the matching calls fails, counted from 1; all of them if not given. */
  readonly call?: number
  /** Calls of this operation count; all but `limits` and `close` if not given. */
  readonly operation?: StoreOperation
  /**
   * `before` the store acts; `after` it acted, so that its answer is lost; `during`: once the first slice of a
   * body or the first entry of a list was handed out (for other operations, as `after`).
   */
  readonly moment: "before" | "after" | "during"
  /** A lost connection if not given. */
  readonly error?: Error
  /** Instead of failing: what is read has so many bytes more than it says, or fewer if negative. */
  readonly resize?: number
}

/** A store that fails where the test says, and is `store` everywhere else. Nest calls for several faults. */
export function faulty(store: ObjectStore, fault: Fault): ObjectStore {
  let calls = 0
  const hits = (operation: StoreOperation): boolean => {
    if (fault.operation !== undefined && fault.operation !== operation) return false
    calls += 1
    return fault.call === undefined || fault.call === calls
  }
  const lost = () =>
    fault.error ?? new UnavailableError("the connection was reset (by the test)", { transient: "network" })

  const call = async <T>(operation: StoreOperation, act: () => Promise<T>): Promise<T> => {
    if (!hits(operation)) return act()
    if (fault.moment === "before") throw lost()
    await act()
    throw lost()
  }
  async function* listed<T>(operation: StoreOperation, items: AsyncIterable<T>): AsyncGenerator<T> {
    if (!hits(operation)) return yield* items
    if (fault.moment === "before") throw lost()
    for await (const item of items) {
      yield item
      if (fault.moment === "during") break
    }
    throw lost()
  }

  return {
    endpoint: store.endpoint,
    limits: (...args) => store.limits(...args),
    head: (...args) => call("head", () => store.head(...args)),
    async get(...args) {
      if (!hits("get")) return store.get(...args)
      if (fault.moment === "before" && fault.resize === undefined) throw lost()
      const answer = await store.get(...args)
      if (fault.resize !== undefined) return { ...answer, body: resized(answer.body, fault.resize) }
      if (fault.moment === "after") {
        await answer.body[Symbol.asyncIterator]().return?.()
        throw lost()
      }
      return { ...answer, body: cut(answer.body, lost) }
    },
    put: (...args) => call("put", () => store.put(...args)),
    putStream: (...args) => call("putStream", () => store.putStream(...args)),
    copy: (...args) => call("copy", () => store.copy(...args)),
    delete: (...args) => call("delete", () => store.delete(...args)),
    list: (...args) => listed("list", store.list(...args)),
    listVersions: (...args) => listed("listVersions", store.listVersions(...args)),
    getTags: (...args) => call("getTags", () => store.getTags(...args)),
    putTags: (...args) => call("putTags", () => store.putTags(...args)),
    getAcl: (...args) => call("getAcl", () => store.getAcl(...args)),
    putAcl: (...args) => call("putAcl", () => store.putAcl(...args)),
    hasAcls: (...args) => call("hasAcls", () => store.hasAcls(...args)),
    partSizes: (...args) => call("partSizes", () => store.partSizes(...args)),
    createUpload: (...args) => call("createUpload", () => store.createUpload(...args)),
    uploadPart: (...args) => call("uploadPart", () => store.uploadPart(...args)),
    uploadPartCopy: (...args) => call("uploadPartCopy", () => store.uploadPartCopy(...args)),
    listParts: (...args) => listed("listParts", store.listParts(...args)),
    completeUpload: (...args) => call("completeUpload", () => store.completeUpload(...args)),
    abortUpload: (...args) => call("abortUpload", () => store.abortUpload(...args)),
    listUploads: (...args) => listed("listUploads", store.listUploads(...args)),
    close: () => store.close(),
  }
}

async function* cut(body: AsyncIterable<Uint8Array>, lost: () => Error): AsyncGenerator<Uint8Array> {
  for await (const slice of body) {
    yield slice
    break
  }
  throw lost()
}

async function* resized(body: AsyncIterable<Uint8Array>, more: number): AsyncGenerator<Uint8Array> {
  const whole: Uint8Array[] = []
  for await (const slice of body) whole.push(slice)
  const bytes = Buffer.concat(whole)
  if (more < 0) yield Uint8Array.from(bytes.subarray(0, more))
  else yield* [Uint8Array.from(bytes), new Uint8Array(more)]
}
