/**
 * The server as a program: `tsx main.ts [--dir DIR] [--port N] [--host H] [--control] [--verbose]
 * [--dialect JSON]`.
 * It prints one line of JSON with its endpoint and credentials, and stops on SIGTERM, SIGINT or when
 * its standard input ends, so that it never outlives the program that started it.
 */
import { parseArgs } from "node:util"
import { type Dialect, type S3ServerOptions, startS3Server } from "./index.ts"

const { values } = parseArgs({
  options: {
    dir: { type: "string" },
    port: { type: "string" },
    host: { type: "string" },
    dialect: { type: "string" },
    control: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
})

const options: S3ServerOptions = { control: values.control }
if (values.dir !== undefined) options.dir = values.dir
if (values.port !== undefined) options.port = Number(values.port)
if (values.host !== undefined) options.host = values.host
if (values.dialect !== undefined) options.dialect = JSON.parse(values.dialect) as Partial<Dialect>
if (values.verbose) options.log = (line) => void process.stderr.write(`${line}\n`)

const server = await startS3Server(options)
const { endpoint, region, accessKeyId, secretAccessKey } = server
process.stdout.write(`${JSON.stringify({ endpoint, region, accessKeyId, secretAccessKey })}\n`)

const stop = () => {
  void server.close().then(() => process.exit(0))
}
process.on("SIGTERM", stop)
process.on("SIGINT", stop)
process.stdin.on("end", stop).resume()
