"""Options: what several commands of sendensed take alike, and how its values are read."""

import argparse
import os
from datetime import datetime, timedelta
from typing import Any, NoReturn

from sendensed.cli import moments
from sendensed.errors import ConfigError

DEFAULT_HUB = "http://127.0.0.1:8082"
STATES = ("pending", "running", "stalled", "completed", "failed", "cancelled")
SHELLS = ("bash", "zsh", "fish")
FORMATS = ("table", "wide", "json", "ndjson", "name")
GOALS = ("completed", "ended", "running", "stalled", "failed", "cancelled")
JOB_ORDERS = (
    "machine", "type", "state", "phase", "done", "bytes", "speed", "left", "heard", "moved", "appliance",
    "attempt", "created", "started", "completed", "duration", "id", "finish", "error",
)  # fmt: skip
MACHINE_ORDERS = (
    "machine", "runs", "active", "failed", "success", "size", "duration", "last-size", "last-run", "last-success",
    "estimates",
)  # fmt: skip
APPLIANCE_ORDERS = ("appliance", "version", "active", "heard", "clock", "waiting", "waited")
EVENT_ORDERS = ("time", "kind", "said-by", "state", "phase", "done", "attempt", "job", "detail")


class Parser(argparse.ArgumentParser):
    """Raises ConfigError, so that all of them are said in one way. Takes options by their whole name only."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_formatter, **settings)

    def error(self, message: str) -> NoReturn:
        """Instead of printing the usage."""
        raise ConfigError(f"{message}; see '{self.prog} --help'")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Refuses what is not known where it is met: by the command that it was given to."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def _formatter(prog: str) -> argparse.HelpFormatter:
    """As wide as the terminal, found without the library that argparse would import for each of its options."""
    said = os.environ.get("COLUMNS", "")
    try:
        columns = int(said) if said.isdecimal() and int(said) else os.get_terminal_size(1).columns or 80
    except OSError:
        columns = 80
    return argparse.HelpFormatter(prog, width=columns - 2)


def hub_address() -> str:
    """The hub that is asked where none is named."""
    return os.environ.get("SENDENSE_HUB", DEFAULT_HUB)


def hub(command: Parser) -> None:
    where = hub_address()
    command.add_argument(
        "--hub", metavar="URL", default=where, help=f"the hub to ask ({where.replace('%', '%%')})"
    )
    command.add_argument(
        "--token-file", metavar="FILE", help="a file that holds a token, readable by its owner alone"
    )


def output(command: Parser, *, table: bool = True) -> None:
    """How rows are printed; `--json` is what it was before there was `-o`."""
    command.add_argument(
        "-o", "--output", choices=FORMATS, default="table", help="form (table); ndjson is one JSON object a line"
    )
    command.add_argument(
        "--json", action="store_const", dest="output", const="ndjson", help="the same as -o ndjson"
    )
    if table:
        command.add_argument("--no-headers", action="store_true", help="a table without its headings")


def order(command: Parser, orders: tuple[str, ...], default: str) -> None:
    add = command.add_argument
    names = ", ".join(orders)
    add("--sort-by", choices=orders, metavar="COLUMN", default=default, help=f"one of: {names} ({default})")
    add("--reverse", action="store_true", help="the other way round")


def selection(command: Parser) -> None:
    add = command.add_argument
    add(
        "--status", type=states, action="append", default=[], metavar="STATE",
        help=f"only jobs in this state, or several with commas between: {', '.join(STATES)}; repeatable",
    )  # fmt: skip
    add("--type", default="", help="only jobs of this type, such as backup")
    add("--machine", metavar="NAME", default="", help="only jobs of this machine")
    add("--appliance", metavar="NAME", default="", help="only jobs sent by this appliance")
    add("--since", type=moment, metavar="TIME", help="only jobs created then or later: 12h, 2d (ago) or a date")
    add("--until", type=moment, metavar="TIME", help="only jobs created before")
    add("-q", metavar="TEXT", default="", help="only jobs with this in their id or machine")


def states(text: str) -> tuple[str, ...]:
    states = tuple(text.split(","))
    if unknown := [state for state in states if state not in STATES]:
        raise argparse.ArgumentTypeError(f"'{unknown[0]}' is no state: choose from {', '.join(STATES)}")
    return states


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 to 1000000")
    return int(text)


def duration(text: str) -> float:
    try:
        return moments.duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def moment(text: str) -> datetime | timedelta:
    try:
        return moments.moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def speed(text: str) -> float:
    try:
        factor = float(text.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0.1 <= factor <= 1000:
        raise argparse.ArgumentTypeError(f"'{text}' is no factor from 0.1 to 1000")
    return factor
