import { join } from "node:path"
import { UsageError } from "../errors.ts"
import { lstatIfAny } from "../files/calls.ts"
import { localError } from "../files/local-error.ts"

const MAX_COMPONENT_BYTES = 255
// "Naming Files, Paths, and Namespaces" (Microsoft): taken in every directory, whatever follows the first dot.
const WINDOWS_RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\..*)?$/i
const WINDOWS_FORBIDDEN = /[<>:"|?*\\]/

/** Where names are looked at as Windows does, too: the default is the system s3ep runs on. */
export interface TargetOptions {
  readonly windows?: boolean | undefined
  /** The name is a directory's. */
  readonly directory?: boolean | undefined
}

/** What has a name: `other` is a pipe or a device. */
export type Kind = "nothing" | "link" | "directory" | "file" | "other"

/**
 * The file (or directory) that a name from the bucket becomes in a directory, whatever the bucket says: never one outside it.
 * What lies on the way there already has to be real directories, since a symbolic link would lead elsewhere.
 *
 * @param root - the directory; taken as it is.
 * @param relative - what of the key lies below it, with "/" between directories.
 * @returns its path; neither the file nor its directories need exist.
 * @throws {UsageError} if there can be no such file, saying why.
 */
export async function safeTarget(
  root: string,
  relative: string,
  options: TargetOptions = {},
): Promise<string> {
  const components = componentsOf(relative, options)
  let path = root
  for (const [depth, component] of components.entries()) {
    path = join(path, component)
    const kind = await kindOf(path)
    if (kind === "nothing") return join(root, ...components)
    const last = depth === components.length - 1
    checkKind(kind, path, relative, !last || options.directory === true)
  }
  return path
}

/**
 * What a name from the bucket is made of, of which none leads up or elsewhere.
 *
 * @throws {UsageError} if it can be no name of a file.
 */
export function componentsOf(relative: string, options: TargetOptions = {}): string[] {
  const components = relative.split("/")
  for (const component of components) checkComponent(component, relative, options)
  return components
}

/**
 * Refuse what stands in the way of a file, or of a directory.
 *
 * @param relative - the name from the bucket.
 * @throws {UsageError} if it does.
 */
export function checkKind(kind: Kind, path: string, relative: string, directory: boolean): void {
  if (kind === "link") throw unsafe(relative, `${path} is a symbolic link`)
  if (!directory && kind === "directory") throw unsafe(relative, `${path} is a directory`)
  if (directory && kind !== "directory") throw unsafe(relative, `${path} is not a directory`)
}

/**
 * The path of the file a key becomes in a directory the user named: the key's last component.
 *
 * @throws {UsageError} if that is no name for a file.
 */
export function nameInDirectory(directory: string, key: string, options: TargetOptions = {}): string {
  const name = key.slice(key.lastIndexOf("/") + 1)
  checkComponent(name, key, options)
  return join(directory, name)
}

function checkComponent(component: string, whole: string, options: TargetOptions): void {
  const windows = options.windows ?? process.platform === "win32"
  if (component === "") throw unsafe(whole, "it has an empty component")
  if (component === "." || component === "..") throw unsafe(whole, `it has a component "${component}"`)
  if (component.includes("\0")) throw unsafe(whole, "it holds a NUL")
  if (Buffer.byteLength(component) > MAX_COMPONENT_BYTES) {
    throw unsafe(whole, `a component is longer than ${MAX_COMPONENT_BYTES} bytes`)
  }
  if (!windows) return
  if (WINDOWS_FORBIDDEN.test(component) || hasControl(component)) {
    throw unsafe(whole, "it holds a character that Windows keeps for itself")
  }
  if (WINDOWS_RESERVED.test(component))
    throw unsafe(whole, `Windows keeps the name "${component}" for itself`)
  if (/[. ]$/.test(component))
    throw unsafe(whole, "a component ends in a dot or a space, which Windows drops")
}

function hasControl(component: string): boolean {
  return [...component].some((character) => character < " ")
}

/** @throws {LocalIoError} if it cannot be looked at. */
export async function kindOf(path: string): Promise<Kind> {
  try {
    const found = await lstatIfAny(path)
    if (!found) return "nothing"
    if (found.isSymbolicLink()) return "link"
    if (found.isDirectory()) return "directory"
    return found.isFile() ? "file" : "other"
  } catch (error) {
    throw localError("write", path, error)
  }
}

function unsafe(name: string, why: string): UsageError {
  return new UsageError(`${JSON.stringify(name)} cannot be the name of a file here: ${why}`, {
    hint: "get that object by itself, to a name of your choice",
  })
}
