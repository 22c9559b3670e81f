"""`kubectl sluice completion SHELL`: for those who type kubectl-sluice; kubectl's own completion asks by itself."""

from __future__ import annotations

from sluice.cli.session import Session

SCRIPTS = {
    "bash": """\
_kubectl_sluice() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(kubectl_complete-sluice "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null \\
    | sed -e '/^:/d' -e 's/\\t.*//')" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _kubectl_sluice kubectl-sluice
""",
    "zsh": """\
#compdef kubectl-sluice
_kubectl_sluice() {
  local -a found
  found=(${(f)"$(kubectl_complete-sluice ${words[2,CURRENT]} 2>/dev/null | sed -e '/^:/d' -e 's/\\t.*//')"})
  compadd -a found
}
compdef _kubectl_sluice kubectl-sluice
""",
    "fish": """\
function __kubectl_sluice
  kubectl_complete-sluice (commandline -opc)[2..] (commandline -ct) 2>/dev/null | string match -v ':*'
end
complete -c kubectl-sluice -f -a '(__kubectl_sluice)'
""",
}


def run(session: Session) -> int:
    """Print the script."""
    session.say(SCRIPTS[session.options.shell].rstrip())
    return 0
