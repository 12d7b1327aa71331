import { createServer, type RequestListener } from "node:http"
import { createS3Store } from "../../src/store/s3.ts"
import type { ObjectStore } from "../../src/store/store.ts"

/** A store whose requests are answered by a function, over real connections. Disposing of it ends both. */
export async function handledStore(
  answer: RequestListener,
): Promise<{ readonly store: ObjectStore } & Disposable> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const found = server.address()
  const store = createS3Store({
    endpoint: `http://127.0.0.1:${typeof found === "object" ? found?.port : 0}`,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    onNotice: () => undefined,
  })
  return {
    store,
    [Symbol.dispose]() {
      store.close()
      server.closeAllConnections()
      server.close()
    },
  }
}
