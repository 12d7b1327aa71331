import { type ArgumentNode, type CommandNode, everyCommand, type Offer, type OptionNode } from "./tree.ts"

/** A completion function for zsh's `compinit`, to be saved as `_s3ep` in `$fpath`. */
export function zshCompletion(root: CommandNode): string {
  const functions = [...everyCommand(root)].map(commandFunction)
  return `#compdef s3ep
# zsh completion for s3ep, generated from its command tree: \`s3ep completion zsh\`

${functions.join("\n\n")}

if [ "$funcstack[1]" = "_s3ep" ]; then
  _s3ep "$@"
else
  compdef _s3ep s3ep
fi
`
}

function commandFunction(node: CommandNode): string {
  const options = [...node.options, ...node.inherited].flatMap(optionSpecs)
  const specs = [...options, ...(node.commands.length > 0 ? GROUP_SPECS : node.args.map(argumentSpec))]
  const dispatch = node.commands.length > 0 ? `\n${dispatchTo(node)}` : ""
  return `${functionName(node)}() {
  local context state state_descr line curcontext="$curcontext"
  typeset -A opt_args
  _arguments -C -s -S : \\
${specs.map((spec) => `    ${quote(spec)}`).join(" \\\n")} && return 0${dispatch}
}`
}

const GROUP_SPECS = ["1: :->first", "*:: :->rest"]

function dispatchTo(node: CommandNode): string {
  const listed = node.commands.map(({ name, summary }) => `      ${quote(`${name}:${colons(summary)}`)}`)
  // A command that takes arguments of its own besides subcommands goes on with those.
  const [, ...further] = node.args
  const own = node.args.length > 0 ? `\n      ${actionFor(node.args[0]?.offer ?? "nothing")}` : ""
  const rest = further.length > 0 ? `\n        *) ${actionFor(further[0]?.offer ?? "nothing")} ;;` : ""
  return `  case $state in
    first)
      local -a commands=(
${listed.map((line) => `  ${line}`).join("\n")}
      )
      _describe -t commands command commands${own}
      ;;
    rest)
      curcontext="\${curcontext%:*}-$words[1]:"
      case $words[1] in
${node.commands.map((sub) => `        ${sub.name}) ${functionName(sub)} ;;`).join("\n")}${rest}
      esac
      ;;
  esac`
}

function optionSpecs({ flags, metavar, offer, repeatable, help }: OptionNode): string[] {
  const exclusive = repeatable ? "*" : flags.length > 1 ? `(${flags.join(" ")})` : ""
  return flags.map((flag) => {
    // "+" and "=": the value may be attached, as commander takes it.
    const attached = metavar === undefined ? "" : flag.startsWith("--") ? "=" : "+"
    const value = metavar === undefined ? "" : `:${colons(metavar)}:${specAction(offer)}`
    return `${exclusive}${flag}${attached}[${help.replaceAll(/[[\]\\]/g, "\\$&")}]${value}`
  })
}

function argumentSpec({ name, required, variadic, offer }: ArgumentNode): string {
  const place = variadic ? "*" : required ? "" : ":"
  return `${place}:${colons(name)}:${specAction(offer)}`
}

function specAction(offer: Offer): string {
  if (typeof offer !== "string") return `(${offer.map((word) => word.replaceAll(/[*:]/g, "\\$&")).join(" ")})`
  return { file: "_files", directory: "_files -/", nothing: " " }[offer]
}

function actionFor(offer: Offer): string {
  return offer === "file" ? "_files" : offer === "directory" ? "_files -/" : "_message argument"
}

function functionName({ path }: CommandNode): string {
  return ["_s3ep", ...path].join("_").replaceAll("-", "_")
}

function colons(text: string): string {
  return text.replaceAll(/[\\:]/g, "\\$&")
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
