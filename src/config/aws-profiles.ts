import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { LocalIoError } from "../errors.ts"
import type { Environment } from "./environment.ts"
import { resolvePath } from "./paths.ts"

/**
 * Names of the AWS profiles on this machine, sorted. Names only: what they hold is the AWS SDK's business.
 *
 * @throws {LocalIoError} if a file is there and cannot be read.
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
 */
export async function awsProfileNames(env: Environment, homeDirectory: string): Promise<string[]> {
  const path = (variable: string, name: string) =>
    resolvePath(env[variable] || join(homeDirectory, ".aws", name), homeDirectory, homeDirectory)
  const config = await sections(path("AWS_CONFIG_FILE", "config"))
  const credentials = await sections(path("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
  const names = new Set(credentials)
  for (const section of config) {
    // In the config file a profile is `[profile NAME]`, and only the default may go without the word.
    const name = section === "default" ? section : /^profile\s+(.+)$/.exec(section)?.[1]
    if (name !== undefined) names.add(name.replaceAll(/^["']|["']$/g, ""))
  }
  return [...names].sort()
}

async function sections(path: string): Promise<string[]> {
  const text = await readOptional(path)
  return Array.from(text.matchAll(/^\[\s*([^\]\n]+?)\s*\]/gm), ([, section]) => section ?? "")
}

async function readOptional(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    if (code === "ENOENT" || code === "ENOTDIR") return ""
    throw new LocalIoError(`cannot read ${path} to look up an AWS profile`, { cause: error })
  }
}
