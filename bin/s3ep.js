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

/** A module of Node's own. An import would look at all that it has, some of which is only loaded when looked at. */
function builtin(name) {
  return process.getBuiltinModule ? process.getBuiltinModule(name) : import(name)
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
  const { enableCompileCache: enable } = await builtin("module")
  const { homedir } = await builtin("os")
  const { isAbsolute, join } = await builtin("path")
  const configured = process.env.XDG_CACHE_HOME || ""
  const cache = isAbsolute(configured) ? configured : join(homedir(), ".cache")
  enable(process.env.NODE_COMPILE_CACHE || join(cache, "s3ep", "compiled"))
}

/** Before the kept code: CRC-32 of the source, CRC-32 of the code. */
const CODE_HEADER_BYTES = 8

/** By then V8 may have dropped the code that only the start of a run needs. */
const LONG_RUN_SECONDS = 20

/**
 * Loads a script with the code that V8 made of it in an earlier run of the same command. Node's own cache has a function
 * only if it was compiled along with its file, and most are compiled when they are first called.
 *
 * @returns what the script exports, and what keeps its code for the next run.
 */
async function load(path) {
  const { createRequire, getCompileCacheDir } = await builtin("module")
  const { readFileSync, renameSync, rmSync, writeFileSync } = await builtin("fs")
  const { dirname, join } = await builtin("path")
  const { cachedDataVersionTag } = await builtin("v8")
  const { Script } = await builtin("vm")
  const { crc32 } = await builtin("zlib")
  const source = readFileSync(path)
  const sourceCrc = crc32(source)
  const directory = getCompileCacheDir()
  const command = process.argv[2] || ""
  const kept = directory && /^[a-z-]+$/.test(command) ? join(directory, `s3ep-${command}`) : undefined
  const flags = cachedDataVersionTag()

  const headerOf = (code) => Buffer.from(Uint32Array.of(sourceCrc, crc32(code)).buffer)
  const readCode = () => {
    try {
      const file = readFileSync(kept)
      const code = file.subarray(CODE_HEADER_BYTES)
      return headerOf(code).equals(file.subarray(0, CODE_HEADER_BYTES)) ? code : undefined
    } catch (_) {
      return undefined // no earlier run
    }
  }
  const script = new Script(
    `(function (exports, require, module, __filename, __dirname) {${source.toString()}\n})`,
    { filename: path, cachedData: kept && readCode() },
  )
  const keepCode = () => {
    if (!kept || script.cachedDataRejected === false || process.uptime() > LONG_RUN_SECONDS) return
    // The next run, with the flags that this one began with, would refuse it.
    if (cachedDataVersionTag() !== flags) return
    const beside = `${kept}-${process.pid}`
    try {
      const code = script.createCachedData()
      writeFileSync(beside, Buffer.concat([headerOf(code), code]), { mode: 0o600 })
      renameSync(beside, kept)
    } catch (_) {
      rmSync(beside, { force: true }) // a full disk, or one that cannot be written to: the next run is slower
    }
  }
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(path), module, path, dirname(path))
  return { exports: module.exports, keepCode }
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
  const { existsSync } = await builtin("fs")
  const { fileURLToPath } = await builtin("url")
  const built = fileURLToPath(new URL("../dist/cli/main.cjs", import.meta.url))
  await enableCompileCache()
  if (existsSync(built)) {
    const program = await load(built)
    await program.exports.runProcess()
    if (!process.exitCode) program.keepCode()
    return
  }
  ;(await import("tsx/esm/api")).register()
  const { runProcess } = await import(new URL("../src/cli/main.ts", import.meta.url).href)
  await runProcess()
}

function choose() {
  if (!isRecent(process.versions.node)) return handOver
  return process.argv.length === 3 && process.argv[2] === "--version" ? printVersion : start
}

choose()().catch(fail)
