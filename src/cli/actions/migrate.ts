import { UsageError } from "../../errors.ts"
import { type MigrateRequest, type MigrationItem, migrate } from "../../rotation/migrate.ts"
import type { ObjectAddress } from "../../store/store.ts"
import { Filter } from "../../transfer/filter.ts"
import { objectUri } from "../../transfer/naming.ts"
import { isPrefix, parseAddress, parseObject } from "../address.ts"
import { Batch } from "../batch.ts"
import { type ExpectationOptions, readExpectation } from "../expectation.ts"
import type { ReadingFlags } from "../reading.ts"
import type { Session } from "../session.ts"
import { formatBytes } from "../text.ts"
import { expectManyObjects } from "../young-generation.ts"
import { MigrationSummary } from "./migration-summary.ts"
import { nothingThere } from "./verify.ts"

export interface MigrateOptions extends ExpectationOptions, ReadingFlags {
  readonly inPlace?: boolean
  readonly plan?: boolean
  readonly dryRun?: boolean
  readonly recursive?: boolean
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
}

type Places = Pick<MigrateRequest, "source" | "target" | "recursive">

/** `migrate`. */
export async function migrateObjects(
  session: Session,
  source: string,
  dest: string | undefined,
  options: MigrateOptions,
): Promise<void> {
  const places = readPlaces(source, dest, options)
  const expect = readExpectation(options, !places.recursive)
  const { settings } = session
  const dryRun = options.dryRun === true || options.plan === true
  const context = await session.transfer(dryRun ? "read" : "both", dryRun ? [] : [places.target], options)
  const filter = new Filter({ include: options.include, exclude: options.exclude })
  const summary = new MigrationSummary(session, options)
  if (places.recursive) expectManyObjects()
  const batch = new Batch(session, "object")
  session.interruptionHint = "run the same command again: it goes on where it stopped"
  const result = await migrate(context, {
    ...places,
    dryRun,
    expect,
    include: (relative) => filter.wants(relative),
    concurrency: settings.concurrency,
    partBytes: settings.partSize,
    chunkBytes: settings.chunkSize,
    checksum: settings.checksum,
    storageClass: settings.storageClass,
    requesterPays: settings.requesterPays,
    customerKey: await session.customerKey(),
    onItem(item) {
      if (item.error) batch.failed(objectUri(item.source), item.error)
      else batch.succeeded()
      summary.add(item)
      report(session, item, options)
    },
  })
  if (result.done + result.skipped + result.failed === 0 && places.source.key !== "") {
    throw nothingThere(places.source)
  }
  summary.finish(places.source)
  batch.finish()
}

function readPlaces(source: string, dest: string | undefined, options: MigrateOptions): Places {
  const from = parseAddress(source)
  const recursive = options.recursive === true || isPrefix(from)
  if ((options.inPlace ?? false) === (dest !== undefined)) {
    throw new UsageError(
      dest === undefined
        ? "migrate needs to know where to"
        : "--in-place has no destination: objects stay where they are",
      { hint: `s3ep migrate ${source} s3://BUCKET/${recursive ? "PREFIX/" : "KEY"}, or --in-place` },
    )
  }
  if (recursive) {
    const target = asPrefix(dest === undefined ? from : parseAddress(dest))
    return { source: asPrefix(from), target, recursive }
  }
  const to = dest === undefined ? parseObject(source) : parseAddress(dest)
  const name = from.key.slice(from.key.lastIndexOf("/") + 1)
  return { source: from, target: isPrefix(to) ? { ...to, key: `${to.key}${name}` } : to, recursive }
}

function asPrefix({ bucket, key }: ObjectAddress): ObjectAddress {
  return { bucket, key: isPrefix({ bucket, key }) ? key : `${key}/` }
}

function report({ output }: Session, item: MigrationItem, { plan }: MigrateOptions): void {
  const { outcome, facts, bytes, storedBytes, stored, why } = item
  const source = objectUri(item.source)
  const uri = objectUri(item.target)
  if (outcome === "failed" || (plan && !output.json)) return
  if (outcome === "skipped") {
    output.report({ type: "skipped", source, uri, reason: why }, () => `skipped ${source}: ${why}`)
    output.count("skipped", 1)
    return
  }
  const findings = facts?.findings.map(({ code }) => code) ?? []
  const described = { source, uri, format: facts?.format ?? null, findings, bytes, storedBytes }
  const how = `${source}${uri === source ? "" : ` to ${uri}`} (${formatBytes(bytes)}, ${facts?.title ?? ""})`
  if (outcome === "planned") {
    output.report({ type: "planned", action: "migrate", ...described }, () => `would migrate ${how}`)
    output.count("planned", 1)
  } else {
    const { etag = null, versionId = null } = stored ?? {}
    output.report({ type: "migrated", ...described, etag, versionId }, () => `migrated ${how}`)
    output.count("migrated", 1)
  }
  output.count("bytes", bytes)
}
