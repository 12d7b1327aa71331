import { createServer } from "node:http"
import { expect, test, vi } from "vitest"
import { createS3Store } from "../../../src/store/s3.ts"

vi.mock("@aws-sdk/client-s3", () => {
  throw new Error("the SDK was loaded")
})

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

// What a tree that comes down is asked with.
test("objects are listed and read without the SDK, with an endpoint and credentials that were given", async () => {
  const server = createServer(({ method, url = "" }, response) => {
    if (url.includes("list-type=2")) {
      response.end(`<ListBucketResult><Name>vault</Name><IsTruncated>false</IsTruncated>
<Contents><Key>a</Key><Size>3</Size></Contents></ListBucketResult>`)
    } else response.writeHead(200, { etag: '"e"', "content-length": 3 }).end(method === "HEAD" ? "" : "abc")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const found = server.address()
  const store = createS3Store({
    endpoint: `http://127.0.0.1:${typeof found === "object" ? found?.port : 0}`,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    onNotice: () => undefined,
  })
  try {
    const [entry, ...others] = await all(store.list("vault"))
    expect(entry).toMatchObject({ kind: "object", key: "a", bytes: 3 })
    expect(others).toEqual([])
    const { body } = await store.get({ bucket: "vault", key: "a" })
    expect(Buffer.concat(await all(body)).toString()).toBe("abc")
    await expect(all(store.listVersions("vault"))).rejects.toThrow()
  } finally {
    store.close()
    server.closeAllConnections()
    server.close()
  }
})
