import type { ProgressEvent } from "../transfer/context.ts"
import { counted, formatBytes, formatSeconds } from "./text.ts"

const WINDOW_MS = 15_000

interface Item {
  readonly bytes: number | undefined
  readonly parts: number | undefined
  doneBytes: number
  doneParts: number
}

/** How far the work is, all items together. */
export interface Reading {
  readonly items: number
  readonly doneItems: number
  /** The one that is being worked on, if it is one. */
  readonly current: string | undefined
  readonly doneBytes: number
  /** Of the items begun so far; undefined if nobody knows. */
  readonly totalBytes: number | undefined
  /** Of the last 15 seconds, without what an earlier run had done. */
  readonly bytesPerSecond: number
  readonly remainingSeconds: number | undefined
  readonly doneParts: number
  readonly totalParts: number | undefined
  readonly retries: number
}

/** Adds progress events up. */
export class Meter {
  readonly #now: () => number
  readonly #items = new Map<string, Item>()
  readonly #samples: { at: number; bytes: number }[] = []
  #begun = 0
  #finished = 0
  #doneBytes = 0
  #movedBytes = 0
  #totalBytes: number | undefined = 0
  #retries = 0

  constructor(now: () => number) {
    this.#now = now
  }

  handle(event: ProgressEvent): void {
    switch (event.type) {
      case "started":
        this.#start(event)
        return
      case "advanced":
        this.#advance(event.item, event.bytes)
        return
      case "part": {
        const item = this.#items.get(event.item)
        if (item) item.doneParts++
        return
      }
      case "retried":
        this.#retries++
        return
      case "finished":
        if (this.#items.delete(event.item)) this.#finished++
    }
  }

  read(): Reading {
    const now = this.#now()
    this.#samples.push({ at: now, bytes: this.#movedBytes })
    while (this.#samples.length > 2 && now - (this.#samples[0]?.at ?? now) > WINDOW_MS) this.#samples.shift()
    const first = this.#samples[0] ?? { at: now, bytes: 0 }
    const seconds = (now - first.at) / 1000
    const bytesPerSecond = seconds > 0 ? Math.max(0, (this.#movedBytes - first.bytes) / seconds) : 0
    const [[name, only] = []] = this.#items
    const alone = this.#begun === 1 && only !== undefined
    return {
      items: this.#begun,
      doneItems: this.#finished,
      current: this.#items.size === 1 ? name : undefined,
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond,
      remainingSeconds:
        this.#totalBytes === undefined || bytesPerSecond === 0
          ? undefined
          : (this.#totalBytes - this.#doneBytes) / bytesPerSecond,
      doneParts: alone ? only.doneParts : 0,
      totalParts: alone ? only.parts : undefined,
      retries: this.#retries,
    }
  }

  #start({ item, bytes, doneBytes, parts }: ProgressEvent & { type: "started" }): void {
    if (this.#begun === 0) this.#samples.push({ at: this.#now(), bytes: 0 })
    const again = this.#items.get(item)
    if (again) this.#forget(again)
    else this.#begun++
    const doneParts = bytes && parts ? Math.floor((doneBytes / bytes) * parts) : 0
    this.#items.set(item, { bytes, parts, doneBytes, doneParts })
    this.#doneBytes += doneBytes
    if (this.#totalBytes !== undefined) {
      this.#totalBytes = bytes === undefined ? undefined : this.#totalBytes + bytes
    }
  }

  // An item that starts over counts once.
  #forget({ bytes, doneBytes }: Item): void {
    this.#doneBytes -= doneBytes
    if (this.#totalBytes !== undefined && bytes !== undefined) this.#totalBytes -= bytes
  }

  #advance(name: string, bytes: number): void {
    const item = this.#items.get(name)
    if (!item) return
    item.doneBytes += bytes
    this.#doneBytes += bytes
    this.#movedBytes += bytes
  }
}

/** `12.0 MiB of 300 MiB, 41.2 MiB/s, 7s left, part 2 of 19, 1 retry`. */
export function describeReading(reading: Reading): string {
  const { doneBytes, totalBytes, bytesPerSecond, remainingSeconds, totalParts, doneParts, retries } = reading
  const of = totalBytes === undefined ? "" : ` of ${formatBytes(totalBytes)}`
  const facts = [
    ...(reading.items > 1 ? [`${reading.doneItems} of ${counted(reading.items, "file")}`] : []),
    `${formatBytes(doneBytes)}${of}`,
    `${formatBytes(bytesPerSecond)}/s`,
    ...(remainingSeconds === undefined ? [] : [`${formatSeconds(remainingSeconds)} left`]),
    ...(totalParts === undefined ? [] : [`${doneParts} of ${counted(totalParts, "part")}`]),
    ...(retries === 0 ? [] : [retries === 1 ? "1 retry" : `${retries} retries`]),
  ]
  return facts.join(", ")
}
