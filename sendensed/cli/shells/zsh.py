"""Zsh: a function for compinit, written with `_arguments`."""

from collections.abc import Iterator, Sequence

from sendensed.cli.completion import Command, Word

_HEAD = """\
#compdef sendensed
# completion of sendensed for zsh; load it with: source <(sendensed completion zsh)
_sendensed_names() {  # jobs, machines or appliances, asked of the hub that the line names
    local -a found hub
    local place
    for ((place = 2; place < $#words; place++)); do
        [[ $words[place] == (--hub|--token-file) ]] && hub+=("$words[place]" "${(Q)words[place + 1]}")
    done
    found=("${(@f)$(${(Q)_sendensed_program} _names $argv[-1] $hub 2>/dev/null)}")
    found=("${(@)found:#}")
    compadd "${(@)argv[1,-2]}" -a found
}
_sendensed() {
    local _sendensed_program=$words[1] curcontext=$curcontext state line
    _arguments -C '1: :->command' '*:: :->rest' '--help[show the help]' '--version[show the version]'
    case $state in
        command)
            local -a commands
            commands=("""


def script(commands: Sequence[Command]) -> Iterator[str]:
    """The lines of the script."""
    yield _HEAD
    for command in commands:
        if " " not in command.path:
            yield f"                {_quote(command.path + ':' + _plain(command.purpose))}"
    yield "            )"
    yield "            _describe command commands ;;"
    yield "        rest)"
    yield "            case $words[1] in"
    for command in commands:
        if " " in command.path:
            continue
        actions = [one for one in commands if one.path.startswith(f"{command.path} ")]
        yield f"                {command.path})"
        yield from (_actions(actions) if actions else [f"                    {_arguments(command)} ;;"])
    yield "            esac ;;"
    yield "    esac"
    yield "}"
    yield '[[ $funcstack[1] == _sendensed ]] && _sendensed "$@" || compdef _sendensed sendensed'


def _actions(actions: Sequence[Command]) -> Iterator[str]:
    yield "                    if ((CURRENT == 2)); then"
    yield "                        local -a actions"
    names = " ".join(_quote(f"{one.path.split()[1]}:{_plain(one.purpose)}") for one in actions)
    yield f"                        actions=({names})"
    yield "                        _describe action actions"
    yield "                    else"
    yield "                        shift words; ((CURRENT--))"
    yield "                        case $words[1] in"
    for one in actions:
        yield f"                            {one.path.split()[1]}) {_arguments(one)} ;;"
    yield "                        esac"
    yield "                    fi ;;"


def _arguments(command: Command) -> str:
    specs = []
    for word in command.options:
        value = f":{_plain(word.purpose) or 'value'}:{_values(word)}" if word.kind else ""
        specs += [_quote(f"*{name}[{_plain(word.purpose)}]{value}") for name in word.names]
    for word in command.operands:
        specs.append(_quote(f"{'*' if word.several else '1'}: :{_values(word)}"))
    return " ".join(["_arguments -s", *specs])


def _values(word: Word) -> str:
    match word.kind:
        case "words":
            return f"({' '.join(word.words)})"
        case "files":
            return "_files"
        case "directories":
            return "_files -/"
        case "any":
            return ""
    return f"_sendensed_names {word.kind}"


def _plain(text: str) -> str:
    """Without what `_arguments` reads as its own signs."""
    return "".join(" " if sign in "[]\\" else f"\\{sign}" if sign == ":" else sign for sign in text)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
