# Prints what zsh offers for a command line: zsh -f complete.zsh DIRECTORY LINE, with the function _s3ep in DIRECTORY.
# Completion runs only in the line editor, so a shell in a pseudo-terminal is sent the line and a tab.
if [[ $1 == --inside ]]; then
  fpath=($2 $fpath)
  autoload -Uz compinit
  compinit -u -D
  PS1=
  bindkey '^M' undefined
  bindkey '^J' undefined
  bindkey '^I' complete-word
  marker() { print -rn -- $'\0' }
  compprefuncs=(marker)
  comppostfuncs=(marker exit)
  zstyle ':completion:*' list-grouped false
  compadd() {
    # These only fill arrays for the function that calls them.
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
      builtin compadd "$@"
      return
    fi
    local -a hits
    builtin compadd -A hits "$@"
    (($#hits)) && print -rl -- $hits
  }
  print -rn -- $'\0'
  return
fi
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "source ${(q)0:A} --inside ${(q)1}"
zpty -r shell before $'*\0' # the command just sent, and what it did
zpty -w shell "$2"$'\t'
zpty -r shell before $'*\0' # the line as it was typed
zpty -r shell offered $'*\0'
print -r -- ${${offered%$'\0'}//$'\r'/}
zpty -d shell
