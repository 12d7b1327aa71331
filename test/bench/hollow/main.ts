/** The hollow server as a program: `node main.ts KEK_FILE`. Prints its endpoint; ends with its standard input. */
import { readFile } from "node:fs/promises"
import { fromHex } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import { HollowServer } from "./server.ts"

const key = fromHex(await readFile(process.argv[2] ?? "", "utf8"))
if (!key) throw new Error("the KEK is not in hex")
const endpoint = await new HollowServer(aesKek(new SecretBytes(key), "bench")).listen()
process.stdout.write(`${endpoint}\n`)
process.stdin.on("end", () => process.exit(0)).resume()
