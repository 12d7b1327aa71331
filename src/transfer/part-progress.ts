import type { ProgressEvent } from "./context.ts"

/** Tells of one part's progress in plaintext bytes, whatever the store says was sent and sent again. */
export class PartProgress {
  readonly #onProgress: (event: ProgressEvent) => void
  readonly #item: string
  readonly #plaintextBytes: number
  readonly #storedBytes: number
  #sentBytes = 0
  #toldBytes = 0

  constructor(
    onProgress: (event: ProgressEvent) => void,
    item: string,
    sizes: { plaintextBytes: number; storedBytes: number },
  ) {
    this.#onProgress = onProgress
    this.#item = item
    this.#plaintextBytes = sizes.plaintextBytes
    this.#storedBytes = sizes.storedBytes
  }

  /** @param bytes - stored bytes since the last call; negative when a retry starts over. */
  readonly sent = (bytes: number): void => {
    this.#sentBytes += bytes
    const fraction = Math.min(1, Math.max(0, this.#sentBytes / this.#storedBytes))
    this.#tell(Math.floor(this.#plaintextBytes * fraction))
  }

  done(): void {
    this.#tell(this.#plaintextBytes)
  }

  /** Takes back what was told: the part will be sent anew. */
  undone(): void {
    this.#sentBytes = 0
    this.#tell(0)
  }

  #tell(bytes: number): void {
    if (bytes === this.#toldBytes) return
    this.#onProgress({ type: "advanced", item: this.#item, bytes: bytes - this.#toldBytes })
    this.#toldBytes = bytes
  }
}
