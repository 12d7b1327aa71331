import { type CommandNode, everyCommand, type Offer, type OptionNode } from "./tree.ts"

/** A completion script for fish 3 and later. */
export function fishCompletion(root: CommandNode): string {
  const commands = [...everyCommand(root)]
  return `# fish completion for s3ep, generated from its command tree: \`s3ep completion fish\`

# Prints the command on the line so far, such as "mp-upload list", then how many arguments it has been given.
function __s3ep_place
    set -l path
    set -l arguments 0
    set -l pending no
    set -l tokens (commandline -opc)
    for token in $tokens[2..-1]
        if test $pending = yes
            set pending no
            continue
        end
        switch $token
            case ${valueFlags(commands).join(" ")}
                set pending yes
            case '-*'
                continue
            case '*'
                if test $arguments -eq 0; and contains -- (string join ' ' $path $token) ${pathWords(commands)}
                    set -a path $token
                else
                    set arguments (math $arguments + 1)
                end
        end
    end
    echo (string join ' ' $path) # a line even if it is empty
    echo $arguments
end

# Whether the command on the line is this one.
function __s3ep_at
    set -l place (__s3ep_place)
    test "$place[1]" = "$argv[1]"
end

# Whether it is, and a subcommand may follow.
function __s3ep_first
    set -l place (__s3ep_place)
    test "$place[1]" = "$argv[1]"; and test $place[2] -eq 0
end

complete -c s3ep -f
${commands.flatMap(completions).join("\n")}
`
}

function completions(node: CommandNode): string[] {
  const path = node.path.join(" ")
  const at = ` -n ${quote(`__s3ep_at ${quote(path)}`)}`
  return [
    ...node.options.map((option) => {
      const everywhere = node.path.length === 0 && !option.flags.includes("--version")
      return `complete -c s3ep${everywhere ? "" : at} ${optionWords(option)}`
    }),
    ...node.commands.map(
      ({ name, summary }) =>
        `complete -c s3ep -n ${quote(`__s3ep_first ${quote(path)}`)} -a ${name} -d ${quote(summary)}`,
    ),
    ...node.args
      .slice(0, 1)
      .flatMap(({ offer }) => (offer === "nothing" ? [] : [`complete -c s3ep${at} ${offerWords(offer)}`])),
  ]
}

function optionWords({ flags, metavar, offer, help }: OptionNode): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
  const value = metavar === undefined ? [] : ["-r", offerWords(offer)]
  return [...names, ...value, `-d ${quote(help)}`].join(" ")
}

function offerWords(offer: Offer): string {
  if (typeof offer !== "string")
    return `-f -a ${quote(offer.map((word) => (word === "*" ? "\\*" : word)).join(" "))}`
  return { file: "-F", directory: "-f -a '(__fish_complete_directories)'", nothing: "-f" }[offer]
}

function valueFlags(commands: readonly CommandNode[]): string[] {
  const flags = commands.flatMap(({ options }) =>
    options.filter(({ metavar }) => metavar !== undefined).flatMap((option) => option.flags),
  )
  return [...new Set(flags)]
}

function pathWords(commands: readonly CommandNode[]): string {
  return commands
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => quote(path.join(" ")))
    .join(" ")
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`
}
