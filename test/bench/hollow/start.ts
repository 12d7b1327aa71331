import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Place } from "../peer.ts"

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url))

/** Start a hollow server in a process of its own. @param kekFile - in hex. @returns its endpoint. */
export async function startHollow(kekFile: string): Promise<{ endpoint: string } & Disposable> {
  const child = spawn(process.execPath, [MAIN, kekFile], { stdio: ["pipe", "pipe", "inherit"] })
  const [line] = await Promise.race([
    once(child.stdout.setEncoding("utf8"), "data"),
    once(child, "exit").then(() => [""]),
  ])
  if (line === "") throw new Error("the hollow server did not start")
  return { endpoint: String(line).trim(), [Symbol.dispose]: () => child.stdin.end() }
}

/** The same place with a hollow server in the real one's stead. */
export function hollowPlace(place: Place, endpoint: string): Place {
  return { ...place, endpoint, plainEndpoint: endpoint, authority: undefined, bucket: "hollow" }
}
