/** Text as roff prints it unchanged: no escapes, no requests, and hyphens that can be copied into a shell. */
export function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replaceAll(/^\./gm, "\\&.")
}

export function bold(escaped: string): string {
  return `\\fB${escaped}\\fR`
}

export function section(title: string): string {
  return `.SH ${title}`
}

export function subsection(title: string): string {
  return `.SS "${roff(title)}"`
}

/** A paragraph of plain text. */
export function paragraph(text: string): string {
  return `.PP\n${filled(text)}`
}

/** A term, escaped already, and what it is, as plain text. */
export function definition(term: string, meaning: string): string {
  return `.TP\n${term}\n${filled(meaning)}`
}

/** Each sentence begins a line, as roff likes it, and none is longer than a terminal. */
function filled(text: string): string {
  const sentences = text.replaceAll(/([.:]) (?=[A-Z])/g, "$1\n")
  return roff(sentences.replaceAll(/(.{1,70})(?: +|\n|$)/g, "$1\n").trimEnd())
}

/** Lines to be shown as they are. */
export function block(text: string): string {
  return `.PP\n.in +4n\n.nf\n${roff(text)}\n.fi\n.in`
}

/** The whole, without paragraphs that a heading makes superfluous. */
export function lines(...parts: readonly string[]): string {
  return `${parts.join("\n").replaceAll(/^(\.S[HS] .*)\n\.PP$/gm, "$1")}\n`
}
