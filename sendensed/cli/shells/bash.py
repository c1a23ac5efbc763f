"""Bash: a function for `complete -F`."""

import shlex
from collections.abc import Iterator, Sequence

from sendensed.cli.completion import Command, Word

_HEAD = """\
# completion of sendensed for bash; load it with: source <(sendensed completion bash)
_sendensed_words() {  # the words up to the cursor as they were typed: bash cuts them at every ':'
    local line=$COMP_LINE piece
    words=()
    for piece in "${COMP_WORDS[@]:0:COMP_CWORD + 1}"; do
        if [[ ${#words[@]} -gt 0 && $line != [[:blank:]]* && ($piece == :* || ${words[-1]} == *:) ]]; then
            words[-1]+=$piece
        else
            words+=("$piece")
        fi
        line=${line#*"$piece"}
    done
}
_sendensed_offer() {  # words to choose from
    local word
    while IFS= read -r word; do
        [[ $word == "$current"* || $word == "${current//\\\\/}"* ]] && COMPREPLY+=("$(printf %q "$word")")
    done
}
_sendensed_names() {  # jobs, machines or appliances, asked of the hub that the line names
    local place hub=()
    for ((place = 2; place < ${#words[@]} - 1; place++)); do
        [[ ${words[place - 1]} == --hub || ${words[place - 1]} == --token-file ]] &&
            hub+=("${words[place - 1]}" "${words[place]}")
    done
    _sendensed_offer < <("${words[0]}" _names "$1" "${hub[@]}" 2>/dev/null)
}
_sendensed() {
    local words current previous path begun place
    _sendensed_words
    current=${words[-1]} previous=${words[-2]} path=${words[1]}
    COMPREPLY=()
    _sendensed_fill
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then  # bash puts in what stands behind the last ':'
        begun=${current%"${current##*:}"}
        for place in "${!COMPREPLY[@]}"; do COMPREPLY[place]=${COMPREPLY[place]#"$begun"}; done
    fi
}
_sendensed_fill() {"""


def script(commands: Sequence[Command]) -> Iterator[str]:
    """The lines of the script."""
    actions = [command for command in commands if " " in command.path]
    first = [command for command in commands if " " not in command.path]
    yield _HEAD
    yield "    if ((${#words[@]} == 2)); then"
    yield f"        {_offer([*(command.path for command in first), '--help', '--version'])}"
    yield "        return"
    yield "    fi"
    for group in dict.fromkeys(command.path.split()[0] for command in actions):
        names = [command.path.split()[1] for command in actions if command.path.split()[0] == group]
        yield f"    if [[ $path == {group} ]]; then"
        yield f"        if ((${{#words[@]}} == 3)); then {_offer([*names, '--help'])}; return; fi"
        yield '        path="$path ${words[2]}"'
        yield "    fi"
    yield '    case "$path $previous" in'
    for command in commands:
        for word in command.options:
            if word.kind:
                pattern = "|".join(shlex.quote(f"{command.path} {name}") for name in word.names)
                yield f"        {pattern}) {_values(word)}; return ;;"
    yield "    esac"
    yield "    if [[ $current == -* ]]; then"
    yield '        case "$path" in'
    for command in commands:
        names = [name for word in command.options for name in word.names if name.startswith("--")]
        yield f"            {shlex.quote(command.path)}) {_offer(names)} ;;"
    yield "        esac"
    yield "        return"
    yield "    fi"
    yield '    case "$path" in'
    for command in commands:
        if command.operands:
            yield f"        {shlex.quote(command.path)}) {_values(command.operands[0])} ;;"
    yield "    esac"
    yield "}"
    yield "complete -F _sendensed sendensed"


def _offer(words: Sequence[str]) -> str:
    return f"_sendensed_offer < <(printf '%s\\n' {' '.join(map(shlex.quote, words))})"


def _values(word: Word) -> str:
    match word.kind:
        case "words":
            return _offer(word.words)
        case "files":
            return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current")'
        case "directories":
            return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current")'
        case "any":
            return ":"
    return f"_sendensed_names {word.kind}"
