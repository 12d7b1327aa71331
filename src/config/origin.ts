import type { SettingName } from "./settings.ts"

/** Where a config file came from, which decides what it may hold. */
export type FileTrust =
  /** Found by searching upwards from the working directory. */
  | "project"
  /** The user's own. */
  | "user"
  /** Named with `--config` or `S3EP_CONFIG`. */
  | "named"

/** Who said what a setting is. */
export type Origin =
  | { readonly kind: "option"; readonly option: string }
  | { readonly kind: "environment"; readonly variable: string }
  | { readonly kind: FileTrust; readonly file: string; readonly profile?: string }
  | { readonly kind: "default" }

/** The values one place gives; checked, with paths made absolute. */
export interface Layer {
  readonly values: ReadonlyMap<SettingName, unknown>
  readonly origin: (name: SettingName) => Origin
}

/** For people: `option --region`, `environment S3EP_REGION`, `user config /home/ada/…, profile work`. */
export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "option":
      return `option ${origin.option}`
    case "environment":
      return `environment ${origin.variable}`
    case "default":
      return "default"
    default: {
      const place = `${origin.kind === "named" ? "" : `${origin.kind} `}config ${origin.file}`
      return origin.profile === undefined ? place : `${place}, profile ${origin.profile}`
    }
  }
}
