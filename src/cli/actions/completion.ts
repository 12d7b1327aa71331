import { completionScript, type Shell } from "../completions.ts"
import { createProgram } from "../program.ts"
import type { Session } from "../session.ts"

export function printCompletion({ output }: Session, shell: Shell): void {
  const script = completionScript(createProgram(), shell)
  output.answer({ type: "completion", shell, script }, () => script.trimEnd())
}
