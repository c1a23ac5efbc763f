"""Fish: a line of `complete` for each word."""

from collections.abc import Iterator, Sequence

from sendensed.cli.completion import Command, Word

_HEAD = """\
# completion of sendensed for fish; load it with: sendensed completion fish | source
function __sendensed_names  # jobs, machines or appliances, asked of the hub that the line names
    set -l line (commandline -opc)
    set -l hub
    set -l before ''
    for word in $line
        if contains -- $before --hub --token-file
            set -a hub $before $word
        end
        set before $word
    end
    $line[1] _names $argv[1] $hub 2>/dev/null
end
function __sendensed_at  # whether the line's words begin with these
    set -l line (commandline -opc)
    set -l last (math (count $argv) + 1)
    test (count $line) -ge $last; and test "$line[2..$last]" = "$argv"
end
complete -c sendensed -f
complete -c sendensed -n 'test (count (commandline -opc)) -eq 1' -l help -d 'show the help'
complete -c sendensed -n 'test (count (commandline -opc)) -eq 1' -l version -d 'show the version'"""


def script(commands: Sequence[Command]) -> Iterator[str]:
    """The lines of the script."""
    yield _HEAD
    for command in commands:
        *group, name = command.path.split()
        at = f"test (count (commandline -opc)) -eq {len(group) + 1}"
        if group:
            at += f"; and __sendensed_at {group[0]}"
        yield f"complete -c sendensed -n {_quote(at)} -a {name} -d {_quote(command.purpose)}"
    groups = {command.path.split()[0] for command in commands if " " in command.path}
    for command in commands:
        if command.path in groups:
            continue
        line = f"complete -c sendensed -n {_quote(f'__sendensed_at {command.path}')}"
        for word in command.options:
            names = " ".join(f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in word.names)
            yield f"{line} {names} {_values(word)} -d {_quote(word.purpose)}".replace("  ", " ")
        for word in command.operands:
            if values := _values(word):
                yield f"{line} {values.replace('-x ', '-k ').replace('-r -F', '-F')}".rstrip()


def _values(word: Word) -> str:
    match word.kind:
        case "":
            return ""
        case "words":
            return f"-x -a {_quote(' '.join(word.words))}"
        case "files":
            return "-r -F"
        case "directories":
            return "-x -a '(__fish_complete_directories)'"
        case "any":
            return "-x"
    return f"-x -a '(__sendensed_names {word.kind})'"


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
