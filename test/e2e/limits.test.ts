import { execFile } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, test } from "vitest"

// The largest cases, each in a process of its own: `test/bench/limits.ts` says what is simulated, and how.

const MIB = 1024 ** 2
const SCRIPT = fileURLToPath(new URL("../bench/limits.ts", import.meta.url))
/** A file system in memory takes a sparse file of any length; those on disks end at 16 TiB or so. */
const SPARSE = "/dev/shm"

async function measured(
  what: string,
  where: string,
  heapMib = 256,
): Promise<Record<string, unknown> & { maxRssBytes: number }> {
  const heap = `--max-old-space-size=${heapMib}`
  const { stdout } = await promisify(execFile)(process.execPath, [heap, SCRIPT, what, where])
  return JSON.parse(stdout)
}

test.runIf(existsSync(SPARSE))(
  "an object of 50 TB is planned, uploaded and resumed in 256 MiB of memory",
  async () => {
    const directory = await mkdtemp(join(SPARSE, "s3ep-limits-"))
    try {
      const { maxRssBytes, ...upload } = await measured("upload", directory)
      expect(upload).toMatchObject({
        bytes: 49_900 * 1024 ** 3,
        parts: 10_000,
        first: 9989,
        resumedParts: 9989,
        allocated: 0,
        completed: { parts: 10_000, bytes: upload["storedBytes"] },
      })
      // The last part of the run that was interrupted is the only one that may be sent again.
      expect(upload["sent"]).toBeLessThanOrEqual(10_001)
      expect(maxRssBytes).toBeLessThan(256 * MIB)

      const journal = await measured("journal", directory)
      expect(journal["parts"]).toBe(9989)
      expect(journal["cpuMs"]).toBeLessThan(200) // of the processor, so that others at work do not count
    } finally {
      await rm(directory, { recursive: true })
    }
  },
)

test("a million keys are listed as they come", { timeout: 300_000 }, async () => {
  const KEYS = 1_000_000
  const PAGE = 1000
  let pages = 0
  const server = createServer((request, response) => {
    pages += 1
    const begin = Number(
      new URL(request.url ?? "", "http://localhost").searchParams.get("continuation-token") ?? 0,
    )
    const entries = Array.from({ length: PAGE }, (_, at) => {
      const key = `tree/${String(begin + at).padStart(9, "0")}`
      return `<Contents><Key>${key}</Key><Size>200</Size></Contents>`
    })
    const next = begin + PAGE
    const more =
      next < KEYS
        ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${next}</NextContinuationToken>`
        : ""
    response.end(`<ListBucketResult><Name>vault</Name>${more}${entries.join("")}</ListBucketResult>`)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  try {
    const { port } = server.address() as AddressInfo
    // A fifth of what a million entries would take: gathered, they end the process.
    const listed = await measured("list", `http://127.0.0.1:${port}`, 64)
    expect(listed).toMatchObject({ keys: KEYS, bytes: 200 * KEYS })
    expect(pages).toBe(KEYS / PAGE)
  } finally {
    server.close()
    server.closeAllConnections()
  }
})
