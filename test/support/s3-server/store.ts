import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs"
import path from "node:path"
import { Bucket } from "./bucket.ts"
import { S3Error } from "./errors.ts"
import type { BucketConfiguration } from "./model.ts"

/** All buckets of a server, under one directory. */
export class Store {
  readonly #directory: string
  readonly #buckets = new Map<string, Bucket>()
  #sequence = 0

  /** Opens what an earlier server left in the directory; half-received bodies are thrown away. */
  constructor(directory: string) {
    this.#directory = directory
    rmSync(this.incoming, { recursive: true, force: true })
    mkdirSync(this.incoming, { recursive: true })
    mkdirSync(this.#bucketsDirectory, { recursive: true })
    for (const name of readdirSync(this.#bucketsDirectory)) {
      if (!existsSync(path.join(this.#bucketsDirectory, name, "bucket.json"))) continue
      const { bucket, sequence } = Bucket.load(name, path.join(this.#bucketsDirectory, name))
      this.#buckets.set(name, bucket)
      this.#sequence = Math.max(this.#sequence, sequence)
    }
  }

  /** Where bodies are written until they are known to be whole. */
  get incoming(): string {
    return path.join(this.#directory, "incoming")
  }

  get #bucketsDirectory(): string {
    return path.join(this.#directory, "buckets")
  }

  nextSequence(): number {
    this.#sequence += 1
    return this.#sequence
  }

  buckets(): Bucket[] {
    return [...this.#buckets.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  has(name: string): boolean {
    return this.#buckets.has(name)
  }

  /** @throws {S3Error} NoSuchBucket. */
  bucket(name: string | undefined): Bucket {
    const bucket = this.#buckets.get(name ?? "")
    if (bucket === undefined) {
      throw new S3Error("NoSuchBucket", "The specified bucket does not exist", {
        details: { BucketName: name ?? "" },
      })
    }
    return bucket
  }

  createBucket(name: string, configuration: BucketConfiguration): void {
    const bucket = new Bucket(name, path.join(this.#bucketsDirectory, name), configuration)
    bucket.create()
    this.#buckets.set(name, bucket)
  }

  deleteBucket(name: string): void {
    this.#buckets.delete(name)
    rmSync(path.join(this.#bucketsDirectory, name), { recursive: true, force: true })
  }
}
