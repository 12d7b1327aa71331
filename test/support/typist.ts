import { Collector, Keyboard } from "./run-cli.ts"

/** A terminal where somebody answers each question as it is asked: what ends in `: ` at the end of what is shown. */
export function typist(answers: readonly string[]): { keyboard: Keyboard; screen: Collector } {
  const keyboard = new Keyboard()
  const left = [...answers]
  class Screen extends Collector {
    override _write(piece: Buffer, encoding: string, done: () => void): void {
      super._write(piece, encoding, done)
      if (/: $/.test(piece.toString())) setImmediate(() => keyboard.write(left.shift() ?? ""))
    }
  }
  return { keyboard, screen: new Screen() }
}
