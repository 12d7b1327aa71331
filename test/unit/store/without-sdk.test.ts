import { expect, test, vi } from "vitest"
import { handledStore } from "../../support/handled-store.ts"

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
  using handled = await handledStore(({ method, url = "" }, response) => {
    if (url.includes("list-type=2")) {
      response.end(`<ListBucketResult><Name>vault</Name><IsTruncated>false</IsTruncated>
<Contents><Key>a</Key><Size>3</Size></Contents></ListBucketResult>`)
    } else response.writeHead(200, { etag: '"e"', "content-length": 3 }).end(method === "HEAD" ? "" : "abc")
  })
  const { store } = handled
  const [entry, ...others] = await all(store.list("vault"))
  expect(entry).toMatchObject({ kind: "object", key: "a", bytes: 3 })
  expect(others).toEqual([])
  const { body } = await store.get({ bucket: "vault", key: "a" })
  expect(Buffer.concat(await all(body)).toString()).toBe("abc")
  await expect(all(store.listVersions("vault"))).rejects.toThrow()
})
