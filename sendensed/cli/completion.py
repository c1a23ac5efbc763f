"""Completion: a script for a shell, made of the parser itself, so that it knows every word and no other.

What only the hub knows (ids, machines, appliances) the script asks by the hidden `sendensed _names`, which
gives up after a second and then completes nothing.
"""

import argparse
from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple

from sendensed.cli import parser
from sendensed.cli.options import STATES

_ASKED = {"machine": "machines", "appliance": "appliances"}
"""By an option's destination what the hub is asked for."""


class Word(NamedTuple):
    """An option or an operand: what may stand there. `kind` is '' where nothing does, `words`, `files`,
    `directories`, `any`, or what the hub is asked for."""

    names: tuple[str, ...]
    kind: str
    words: tuple[str, ...]
    purpose: str
    several: bool


class Command(NamedTuple):
    """One command by its words, `jobs` or `token create`."""

    path: str
    purpose: str
    options: tuple[Word, ...]
    operands: tuple[Word, ...]


def run(options: argparse.Namespace) -> int:
    """Prints the script. Returns 0."""
    commands = tuple(commands_of(parser.parser()))
    shell = import_module(f"sendensed.cli.shells.{options.shell}")
    print("\n".join(shell.script(commands)))
    return 0


def commands_of(whole: argparse.ArgumentParser, path: str = "") -> Iterator[Command]:
    """Every command that people use, those with actions of their own before these."""
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            purposes = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, command in action.choices.items():
                if not name.startswith("_"):
                    yield _command(f"{path} {name}".strip(), purposes.get(name, ""), command)
                    yield from commands_of(command, f"{path} {name}".strip())


def _command(path: str, purpose: str, command: argparse.ArgumentParser) -> Command:
    words = [_word(action) for action in command._actions if not isinstance(action, argparse._SubParsersAction)]
    return Command(
        path,
        purpose,
        tuple(word for word in words if word.names),
        tuple(word for word in words if not word.names),
    )


def _word(action: argparse.Action) -> Word:
    choices = tuple(str(choice) for choice in action.choices or ())
    if action.nargs == 0:
        kind = ""
    elif choices:
        kind = "words"
    elif action.metavar == "STATE":
        kind, choices = "words", STATES
    elif action.metavar == "FILE":
        kind = "files"
    elif action.metavar == "DIR":
        kind = "directories"
    elif action.metavar == "ID":
        kind = "jobs"
    elif action.dest == "name" and action.metavar == "NAME" and not action.option_strings:
        kind = "machines"
    else:
        kind = _ASKED.get(action.dest, "any")
    purpose = (action.help or "").replace("%%", "%")
    return Word(tuple(action.option_strings), kind, choices, purpose, action.nargs in ("+", "*"))
