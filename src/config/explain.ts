import { describeOrigin } from "./origin.ts"
import type { Resolved } from "./resolve.ts"
import { type SettingName, settingRows } from "./settings.ts"

/** One setting, as shown to the user. */
export interface Explanation {
  readonly name: SettingName
  /** null if nobody said and there is no default; `[secret]` in place of a secret. */
  readonly value: string | number | boolean | readonly string[] | null
  /** Where it came from, for people. */
  readonly origin: string
}

/** Every setting in the order of the table, with secrets masked: what `s3ep config explain` prints. */
export function explain({ values, origins }: Resolved): Explanation[] {
  return settingRows.map(([name, { secret }]) => {
    const value = values[name] ?? null
    return {
      name,
      value: secret && value !== null ? "[secret]" : value,
      origin: describeOrigin(origins[name]),
    }
  })
}
