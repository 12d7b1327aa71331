import { type ArgumentNode, type CommandNode, everyCommand, type Offer, type OptionNode } from "./tree.ts"

/** A completion script for bash 3.2 and later, which needs nothing but bash. */
export function bashCompletion(root: CommandNode): string {
  const commands = [...everyCommand(root)]
  return `# bash completion for s3ep, generated from its command tree: \`s3ep completion bash\`

# The command on the line so far, from its words: what follows "s3ep" and is a command, such as "mp-upload list".
_s3ep_subcommand() {
  case "$1 $2" in
${commands
  .filter(({ path }) => path.length > 0)
  .map(({ path }) => `    ${quote(` ${path.join(" ")}`)} | \\`)
  .join("\n")
  .replace(/ \| \\$/, ") return 0 ;;")}
  esac
  return 1
}

# What the value of an option may be, in reply: words, or @file, @directory, @nothing. Fails if it takes none.
_s3ep_value_of() {
  case "$1 $2" in
${commands.flatMap(valueCases).join("\n")}
    *) return 1 ;;
  esac
}

# What may stand at a place of a command: its options, its subcommands, and what its arguments are.
_s3ep_offer_of() {
  case "$1" in
${commands.map(offerCase).join("\n")}
  esac
}

_s3ep() {
  # Bash splits words at = and : too; put them together again.
  local words=() word joining= index
  for ((index = 0; index <= COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ -n $joining || $word == [=:]* ]] && ((\${#words[@]} > 1)); then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    joining=
    [[ $word == *[=:] ]] && joining=yes
  done
  local last=$((\${#words[@]} - 1))
  local current=\${words[last]}

  local path="" reply options subcommands arguments positionals=0 onlyarguments= pending=
  for ((index = 1; index < last; index++)); do
    word=\${words[index]}
    if [[ -n $pending ]]; then
      pending=
    elif [[ -n $onlyarguments ]]; then
      positionals=$((positionals + 1))
    elif [[ $word == -- ]]; then
      onlyarguments=yes
    elif [[ $word == -*=* ]]; then
      :
    elif [[ $word == -?* ]]; then
      if _s3ep_value_of "$path" "$word"; then pending=$word; fi
    elif ((positionals == 0)) && _s3ep_subcommand "$path" "$word"; then
      path="$path $word"
    else
      positionals=$((positionals + 1))
    fi
  done

  COMPREPLY=()
  if [[ -n $pending ]]; then
    _s3ep_value_of "$path" "$pending"
    _s3ep_reply "$reply" "$current"
  elif [[ -z $onlyarguments && $current == --*=* ]]; then
    if _s3ep_value_of "$path" "\${current%%=*}"; then _s3ep_reply "$reply" "\${current#*=}"; fi
  else
    _s3ep_offer_of "$path"
    if [[ -z $onlyarguments && $current == -* ]]; then
      _s3ep_reply "$options" "$current"
    else
      ((positionals == 0)) && [[ -n $subcommands ]] && _s3ep_reply "$subcommands" "$current"
      _s3ep_reply "$arguments" "$current"
    fi
  fi
}

# Adds what fits to COMPREPLY, without what bash takes for a word before it.
_s3ep_reply() {
  local before=\${2%"\${2##*[=:]}"} line flag=
  case $1 in
    @nothing | "") return ;;
    @file) flag=-f ;;
    @directory) flag=-d ;;
  esac
  if [[ -n $flag ]]; then
    [[ $2 == s3:* ]] && return
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do COMPREPLY+=("\${line#"$before"}"); done < <(compgen "$flag" -- "$2")
  else
    while IFS= read -r line; do COMPREPLY+=("\${line#"$before"}"); done < <(compgen -W "$1" -- "$2")
  fi
}

complete -F _s3ep s3ep
`
}

/** Options of s3ep itself are understood everywhere, those of a command at that command. */
function valueCases(node: CommandNode): string[] {
  const start = node.path.length === 0 ? "*" : quote(["", ...node.path].join(" "))
  const byReply = Map.groupBy(
    node.options.filter(({ metavar }) => metavar !== undefined),
    (option) => replyFor(option.offer),
  )
  return Array.from(byReply, ([reply, options]) => {
    const patterns = options.flatMap(({ flags }) => flags.map((flag) => `${start}${quote(` ${flag}`)}`))
    return `    ${patterns.join(" | ")}) reply=${quote(reply)} ;;`
  })
}

function offerCase(node: CommandNode): string {
  const flags = (options: readonly OptionNode[]) => options.flatMap((option) => option.flags)
  return `    ${quote(node.path.map((name) => ` ${name}`).join(""))})
      options=${quote(flags([...node.options, ...node.inherited]).join(" "))}
      subcommands=${quote(node.commands.map(({ name }) => name).join(" "))}
      arguments=${quote(replyForAll(node.args))}
      ;;`
}

function replyForAll(args: readonly ArgumentNode[]): string {
  const [first] = args
  return first === undefined ? "@nothing" : replyFor(first.offer)
}

function replyFor(offer: Offer): string {
  return typeof offer === "string" ? `@${offer}` : offer.map((word) => word.replace(/^\*$/, "\\*")).join(" ")
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
