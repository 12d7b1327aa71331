import { renderSVG } from "uqr"
import { paperCode } from "./paper.ts"

/** What stands on a recovery sheet, besides the key. */
export interface SheetFacts {
  readonly name: string
  readonly id: string
  readonly created: Date | undefined
}

/**
 * A recovery sheet to print: one page of HTML that loads nothing, with the key as text and as a QR code in SVG.
 *
 * @param lines - from `encodePaper`; secret, and so is the sheet.
 */
export function renderSheet({ name, id, created }: SheetFacts, lines: readonly string[]): string {
  const code = renderSVG(paperCode(lines), { ecc: "M", border: 4, pixelSize: 4 })
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>s3ep recovery sheet: ${escaped(name)}</title>
<style>
  @page { margin: 2cm }
  body { font: 12pt/1.5 sans-serif; color: #000; background: #fff; max-width: 17cm; margin: 1cm auto }
  dt { font-weight: bold; float: left; clear: left; width: 7em }
  pre { font: 18pt/1.8 monospace; border: 1pt solid #000; padding: 0.5cm; margin: 0.5cm 0 }
  svg { width: 6cm; height: 6cm }
</style>
<h1>s3ep recovery sheet</h1>
<p><strong>This sheet is a key.</strong> Whoever has it can read everything that was encrypted to it; without the
key nobody can. Keep it where the fate of the machine does not reach, and nobody looks.</p>
<dl>
  <dt>name</dt><dd>${escaped(name)}</dd>
  <dt>id</dt><dd>${escaped(id)}</dd>
  <dt>created</dt><dd>${created ? created.toISOString().slice(0, 10) : "unknown"}</dd>
</dl>
<pre id="key">
${lines.map(escaped).join("\n")}
</pre>
<p>To get the key back, type these lines: <code>s3ep keys import --paper ${escaped(name)}</code>. Capitals and spaces do not
matter; there is no letter O, I, L or U. The last symbol of a line checks the line. Or scan this code and give what it
says to <code>s3ep keys import -</code>:</p>
${code}
</html>
`
}

/** The key on a sheet that was kept as a file; null if it is something else. */
export function keyOfSheet(html: string): string | null {
  return /<pre id="key">\n([0-9A-Z \n]+)<\/pre>/.exec(html)?.[1] ?? null
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")
}
