import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { onTestFinished } from "vitest"
import { type Resolved, type ResolveRequest, resolveSettings } from "../../src/config/resolve.ts"

/** A home directory with a project in it, removed when the test is over. */
export interface ConfigHome {
  readonly home: string
  readonly project: string
  /** @param path - relative to the home directory. */
  write(path: string, content: string | object, mode?: number): Promise<string>
  resolve(request?: Partial<ResolveRequest>): Promise<Resolved>
}

export async function configHome(): Promise<ConfigHome> {
  const home = await mkdtemp(join(tmpdir(), "s3ep-config-"))
  onTestFinished(() => rm(home, { recursive: true }))
  const project = join(home, "work", "project")
  await mkdir(project, { recursive: true })
  return {
    home,
    project,
    async write(path, content, mode) {
      const target = join(home, path)
      await mkdir(dirname(target), { recursive: true })
      await writeFile(target, typeof content === "string" ? content : JSON.stringify(content))
      if (mode !== undefined) await chmod(target, mode)
      return target
    },
    resolve: (request = {}) =>
      resolveSettings({ options: {}, env: {}, cwd: project, homeDirectory: home, ...request }),
  }
}
