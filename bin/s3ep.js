#!/usr/bin/env node
// Starts s3ep. Plain JavaScript that Node 12 can still parse and run, so that it can say what to do about that:
// no optional chaining, no top-level await, no "node:" names until the version is known to be recent.

const OLDEST_NODE = [24, 7]
const TOO_OLD_STATUS = 2
const FORWARDED_SIGNALS = ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"]

function isRecent(version) {
  const [major, minor] = version.split(".").map(Number)
  return major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])
}

function builtin(name) {
  return import(name)
}

function fail(error) {
  process.stderr.write(`${error.stack || error}\n`)
  process.exitCode = 1
}

/** The three standard ones, and those that a key or a passphrase is to be read from. */
function descriptorsToPass() {
  const stdio = ["inherit", "inherit", "inherit"]
  for (const name of ["passphrase-fd", "kek-fd", "key-passphrase-fd"]) {
    const option = process.argv.join("\0").match(new RegExp(`\0--${name}[=\0](\\d+)(?:\0|$)`))
    const variable = process.env[`S3EP_${name.toUpperCase().replace(/-/g, "_")}`]
    const descriptor = Number(option ? option[1] : variable || 0)
    if (!(descriptor > 2 && descriptor < 1024)) continue
    while (stdio.length <= descriptor) stdio.push("ignore")
    stdio[descriptor] = "inherit"
  }
  return stdio
}

/** Runs the same command line on the Node this checkout pins, and ends as that ends. */
async function handOver() {
  const { existsSync, realpathSync } = await builtin("fs")
  const { spawn } = await builtin("child_process")
  const { fileURLToPath } = await builtin("url")
  const script = fileURLToPath(import.meta.url)
  const pinned = ["node", "node.exe"]
    .map((name) => fileURLToPath(new URL(`../node_modules/node/bin/${name}`, import.meta.url)))
    .filter((path) => existsSync(path))[0]
  if (pinned === undefined || realpathSync(pinned) === realpathSync(process.execPath)) {
    process.stderr.write(`s3ep: error: Node.js ${process.versions.node} is too old\n`)
    process.stderr.write(
      `s3ep: hint: install Node.js ${OLDEST_NODE.join(".")} or later, from https://nodejs.org or with your package manager\n`,
    )
    process.exitCode = TOO_OLD_STATUS
    return
  }
  const child = spawn(pinned, [script].concat(process.argv.slice(2)), { stdio: descriptorsToPass() })
  const forward = (signal) => child.kill(signal)
  for (const signal of FORWARDED_SIGNALS) process.on(signal, forward)
  // A terminal sends Ctrl-C to both of us; forwarded too it would count as the second one, which does not wait.
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  process.on("SIGINT", onTerminal ? () => undefined : forward)
  child.on("error", fail)
  child.on("exit", (status, signal) => {
    for (const forwarded of FORWARDED_SIGNALS.concat("SIGINT")) process.removeAllListeners(forwarded)
    if (signal === null) process.exitCode = status
    else process.kill(process.pid, signal)
  })
}

/** In a directory of the user's own: Node's default is a shared one in /tmp, where others could leave code for us. */
async function enableCompileCache() {
  const { enableCompileCache: enable } = await import("node:module")
  const { homedir } = await import("node:os")
  const { isAbsolute, join } = await import("node:path")
  const configured = process.env.XDG_CACHE_HOME || ""
  const cache = isAbsolute(configured) ? configured : join(homedir(), ".cache")
  enable(process.env.NODE_COMPILE_CACHE || join(cache, "s3ep", "compiled"))
}

/** Asked by every script that wants to know whether there is an s3ep, so it loads nothing. */
async function printVersion() {
  const { readFileSync } = await builtin("fs")
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
  process.stdout.write(`${manifest.version}\n`)
}

/** As wide as help gets, or wider: what the build wrote down is what the program would print. */
const WIDE_COLUMNS = 100

/** The help that is asked for and nothing else, if the build wrote it down. */
async function findHelp() {
  const path = process.argv.slice(2)
  const option = path.pop()
  const isHelp = (option === "--help" || option === "-h") && path.every((word) => /^[a-z-]+$/.test(word))
  if (!isHelp || (process.stdout.columns || WIDE_COLUMNS) < WIDE_COLUMNS) return undefined
  const { existsSync, readFileSync } = await builtin("fs")
  const pages = new URL("../dist/cli/help.json", import.meta.url)
  return existsSync(pages) ? JSON.parse(readFileSync(pages, "utf8"))[path.join(" ")] : undefined
}

/** The built program, or the sources of a checkout that has not been built. */
async function start() {
  const help = await findHelp()
  if (help !== undefined) {
    process.stdout.write(help)
    return
  }
  const { existsSync } = await import("node:fs")
  const built = new URL("../dist/cli/main.cjs", import.meta.url)
  const source = new URL("../src/cli/main.ts", import.meta.url)
  await enableCompileCache()
  const isBuilt = existsSync(built)
  if (!isBuilt) (await import("tsx/esm/api")).register()
  const { runProcess } = await import((isBuilt ? built : source).href)
  await runProcess()
}

function choose() {
  if (!isRecent(process.versions.node)) return handOver
  return process.argv.length === 3 && process.argv[2] === "--version" ? printVersion : start
}

choose()().catch(fail)
