import { parseConfigFile } from "../../../src/config/files.ts"
import { readMembers } from "../../../src/config/members.ts"
import { UsageError } from "../../../src/errors.ts"
import { expecting } from "../support.ts"

const NAMES = ["s3ep.json", "config.yaml", ".s3eprc"]
const TRUSTS = ["project", "user", "named"] as const
/** What a file that was found because it lies in a directory must not choose. */
const TRUSTED_ONLY = ["kekFile", "kekCommand", "passphraseFile", "passphraseCommand", "keysDirectory"]

/** The config reader: it says what it cannot use, runs nothing, and a project's file chooses no keys and no commands. */
export async function fuzz(data: Uint8Array): Promise<void> {
  const [mode = 0] = data
  const name = NAMES[mode % 3] ?? ""
  const trust = TRUSTS[(mode >> 2) % 3] ?? "project"
  await expecting([UsageError], async () => {
    const file = await parseConfigFile(`/project/${name}`, trust, data.subarray(1))
    const { top, profiles } = readMembers(file, "/home/user")
    for (const layer of [top, ...profiles.values()]) {
      const chosen = TRUSTED_ONLY.filter((setting) =>
        [...layer.values.keys()].some((name) => name === setting),
      )
      if (trust === "project" && chosen.length > 0) throw new Error(`a project chose ${chosen}`)
    }
  })
  if (Object.keys(Object.prototype).length > 0) throw new Error("a prototype was changed")
}
