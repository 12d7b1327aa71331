import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import path from "node:path"
import type { BucketConfiguration, ObjectVersion, Upload, UploadedPart } from "./model.ts"

/** Replace a file whole, so that a reader sees the old or the new one. */
function writeJson(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, JSON.stringify(value))
  renameSync(`${file}.new`, file)
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, "utf8")) as T
}

/** Any key is a safe name this way: `..`, slashes, 1,024 bytes, two keys that differ in case. */
function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex")
}

function compareUtf8(a: { bytes: Buffer }, b: { bytes: Buffer }): number {
  return Buffer.compare(a.bytes, b.bytes)
}

/**
 * One bucket: an index in memory, and a directory that holds it all, so that a server started on the
 * directory later knows it again. Changes are synchronous: nothing can come between a check and its act.
 */
export class Bucket {
  readonly name: string
  readonly configuration: BucketConfiguration
  /** Newest version first. */
  readonly #versions = new Map<string, ObjectVersion[]>()
  readonly uploads = new Map<string, Upload>()
  readonly #directory: string
  #sortedKeys: string[] | undefined

  constructor(name: string, directory: string, configuration: BucketConfiguration) {
    this.name = name
    this.#directory = directory
    this.configuration = configuration
  }

  /** Create the directories of a new bucket. */
  create(): void {
    mkdirSync(path.join(this.#directory, "objects"), { recursive: true })
    mkdirSync(path.join(this.#directory, "uploads"), { recursive: true })
    this.saveConfiguration()
  }

  /** @returns the highest sequence number found. */
  static load(name: string, directory: string): { bucket: Bucket; sequence: number } {
    const bucket = new Bucket(name, directory, readJson(path.join(directory, "bucket.json")))
    let sequence = 0
    for (const entry of readdirSync(path.join(directory, "objects"), { recursive: true, encoding: "utf8" })) {
      if (!entry.endsWith(".json")) continue
      const version = readJson<ObjectVersion>(path.join(directory, "objects", entry))
      bucket.#versions.set(version.key, [...bucket.versionsOf(version.key), version])
      sequence = Math.max(sequence, version.sequence)
    }
    for (const versions of bucket.#versions.values()) versions.sort((a, b) => b.sequence - a.sequence)
    for (const uploadId of readdirSync(path.join(directory, "uploads"))) {
      const upload = bucket.#loadUpload(uploadId)
      bucket.uploads.set(uploadId, upload)
      sequence = Math.max(
        sequence,
        upload.sequence,
        ...[...upload.parts.values()].map((part) => part.sequence),
      )
    }
    return { bucket, sequence }
  }

  #loadUpload(uploadId: string): Upload {
    const directory = this.#uploadDirectory(uploadId)
    const upload = readJson<Omit<Upload, "parts">>(path.join(directory, "upload.json"))
    const parts = new Map<number, UploadedPart>()
    for (const entry of readdirSync(directory)) {
      if (!/^part-.*\.json$/.test(entry)) continue
      const part = readJson<UploadedPart>(path.join(directory, entry))
      if (part.sequence > (parts.get(part.partNumber)?.sequence ?? 0)) parts.set(part.partNumber, part)
    }
    return { ...upload, parts }
  }

  saveConfiguration(): void {
    writeJson(path.join(this.#directory, "bucket.json"), this.configuration)
  }

  #objectFile(version: ObjectVersion, extension: "body" | "json"): string {
    return path.join(this.#directory, "objects", hashOf(version.key), `${version.sequence}.${extension}`)
  }

  #uploadDirectory(uploadId: string): string {
    return path.join(this.#directory, "uploads", uploadId)
  }

  bodyFile(version: ObjectVersion): string {
    return this.#objectFile(version, "body")
  }

  partFile(upload: Upload, part: UploadedPart): string {
    return path.join(this.#uploadDirectory(upload.uploadId), `part-${part.partNumber}-${part.sequence}`)
  }

  /** Newest first; empty if there is none. */
  versionsOf(key: string): readonly ObjectVersion[] {
    return this.#versions.get(key) ?? []
  }

  /** The newest version, unless it is a delete marker. */
  current(key: string): ObjectVersion | undefined {
    const newest = this.versionsOf(key)[0]
    return newest?.deleteMarker === true ? undefined : newest
  }

  get isEmpty(): boolean {
    return this.#versions.size === 0
  }

  /** Every key with any version, in the order of its UTF-8 bytes. */
  keys(): readonly string[] {
    this.#sortedKeys ??= [...this.#versions.keys()]
      .map((key) => ({ key, bytes: Buffer.from(key) }))
      .sort(compareUtf8)
      .map(({ key }) => key)
    return this.#sortedKeys
  }

  /** The new version's id; what S3 would replace with it is removed. */
  add(version: ObjectVersion, bodyFile: string | undefined): void {
    const replaced = this.versionsOf(version.key).filter(
      ({ versionId }) => version.versionId === "null" && versionId === "null",
    )
    if (!this.#versions.has(version.key)) {
      mkdirSync(path.dirname(this.#objectFile(version, "json")), { recursive: true })
      this.#sortedKeys = undefined
    }
    if (bodyFile !== undefined) renameSync(bodyFile, this.bodyFile(version))
    writeJson(this.#objectFile(version, "json"), version)
    this.#versions.set(version.key, [version, ...this.versionsOf(version.key)])
    for (const old of replaced) this.remove(old)
  }

  /** Save what was changed in place: tags, retention, legal hold. */
  update(version: ObjectVersion): void {
    writeJson(this.#objectFile(version, "json"), version)
  }

  remove(version: ObjectVersion): void {
    rmSync(this.#objectFile(version, "json"), { force: true })
    rmSync(this.bodyFile(version), { force: true })
    const left = this.versionsOf(version.key).filter((other) => other !== version)
    if (left.length > 0) {
      this.#versions.set(version.key, left)
      return
    }
    this.#versions.delete(version.key)
    this.#sortedKeys = undefined
    rmSync(path.dirname(this.bodyFile(version)), { recursive: true, force: true })
  }

  addUpload(upload: Upload): void {
    mkdirSync(this.#uploadDirectory(upload.uploadId), { recursive: true })
    writeJson(path.join(this.#uploadDirectory(upload.uploadId), "upload.json"), {
      ...upload,
      parts: undefined,
    })
    this.uploads.set(upload.uploadId, upload)
  }

  /** The part replaces an earlier one of its number. */
  addPart(upload: Upload, part: UploadedPart, bodyFile: string): void {
    const old = upload.parts.get(part.partNumber)
    const file = this.partFile(upload, part)
    renameSync(bodyFile, file)
    writeJson(`${file}.json`, part)
    upload.parts.set(part.partNumber, part)
    if (old === undefined) return
    rmSync(this.partFile(upload, old), { force: true })
    rmSync(`${this.partFile(upload, old)}.json`, { force: true })
  }

  removeUpload(upload: Upload): void {
    this.uploads.delete(upload.uploadId)
    rmSync(this.#uploadDirectory(upload.uploadId), { recursive: true, force: true })
  }
}
