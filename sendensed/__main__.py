"""Main: the command line of sendensed."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from schemas import __version__
from sendensed.errors import SendensedError

DEFAULT_HUB = "http://127.0.0.1:8082"

_COMMANDS = (
    ("serve", "run the hub"),
    ("demo", "copy two real disk images and watch them live"),
    ("jobs", "list jobs"),
    ("watch", "follow jobs live"),
    ("cancel", "ask a job to stop"),
    ("token", "make, list, change and revoke tokens"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code.

    0 ok, 1 error, 2 usage, 4 job failed, 6 not found, 7 denied, 8 hub unreachable, 130 interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="sendensed", description="The hub of Sendense telemetry: live, truthful numbers of VM backup jobs."
    )
    parser.add_argument("--version", action="version", version=f"sendensed {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in _COMMANDS:
        command = commands.add_parser(name, help=purpose, description=purpose)
        _ARGUMENTS[name](command)
    options = parser.parse_args(arguments)
    try:
        result: int = import_module(f"sendensed.cli.{options.command}").run(options)
    except SendensedError as error:
        sys.stderr.write(f"sendensed: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result


def _store(command: argparse.ArgumentParser) -> None:
    command.add_argument("--state-dir", metavar="DIR", help="where the embedded PostgreSQL keeps its data")
    command.add_argument("--database", metavar="URL", help="a PostgreSQL 15 or newer, instead of the embedded one")
    command.add_argument("--config", metavar="FILE", help="a TOML file with further settings")


def _serve(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--listen", metavar="HOST:PORT", help="where to listen (127.0.0.1:8082); port 0 takes any"
    )
    _store(command)
    command.add_argument("--workers", type=int, metavar="N", help="so many hub processes at one address (1)")
    command.add_argument("--open", action="store_true", help="no tokens: anyone on this machine may read and send")
    command.add_argument(
        "--allow-plaintext",
        action="store_true",
        help="listen beyond this machine without TLS",
    )
    command.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")


def _demo(command: argparse.ArgumentParser) -> None:
    command.add_argument("--size", metavar="BYTES", default="256M", help="size of each disk image (256M)")
    command.add_argument(
        "--seconds", type=float, default=60.0, help="how long the throttled copy should take (60)"
    )
    command.add_argument(
        "--listen", metavar="HOST:PORT", help="where the hub listens (127.0.0.1:8082, or any port)"
    )
    command.add_argument("--once", action="store_true", help="unthrottled, without a terminal, then exit")
    command.add_argument("--json", action="store_true", help="with --once: print one JSON object")


def _hub(command: argparse.ArgumentParser) -> None:
    where = os.environ.get("SENDENSE_HUB", DEFAULT_HUB)
    command.add_argument("--hub", metavar="URL", default=where, help=f"the hub to ask ({where})")
    command.add_argument(
        "--token-file", metavar="FILE", help="a file that holds a token, readable by its owner alone"
    )


def _jobs(command: argparse.ArgumentParser) -> None:
    _hub(command)
    command.add_argument("--status", action="append", default=[], help="only jobs in this state; repeatable")
    command.add_argument("--type", default="", help="only jobs of this type")
    command.add_argument("--limit", type=int, default=100, help="at most so many, newest first (100)")
    command.add_argument("--json", action="store_true", help="one JSON object per line")


def _watch(command: argparse.ArgumentParser) -> None:
    _hub(command)
    command.add_argument("id", nargs="?", metavar="ID", help="one job; without it all jobs")
    command.add_argument("--json", action="store_true", help="every change as one JSON object per line")


def _cancel(command: argparse.ArgumentParser) -> None:
    _hub(command)
    command.add_argument("id", metavar="ID", help="the job")


def _token(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, purpose in _TOKEN_ACTIONS:
        one = actions.add_parser(action, help=purpose, description=purpose)
        _store(one)
        if action in ("create", "rotate", "link"):
            one.add_argument("name", metavar="NAME", help="whose token it is: for the role push the appliance")
        if action == "create":
            one.add_argument("--role", required=True, choices=("push", "read", "operate", "admin"))
        if action in ("create", "rotate"):
            one.add_argument("--output", metavar="FILE", help="put the token into this new file, 0600")
        if action == "revoke":
            one.add_argument("key", metavar="NAME|ID", help="one token, or all of a name")
        if action == "list":
            one.add_argument("--json", action="store_true", help="one JSON object per line")
        if action == "link":
            one.add_argument(
                "--hub", metavar="URL", default=DEFAULT_HUB, help=f"the hub's address ({DEFAULT_HUB})"
            )


_TOKEN_ACTIONS = (
    ("create", "make a token; it is shown once"),
    ("list", "who has tokens, and when each was last used"),
    ("rotate", "make a second token for a name; the old one stays until it is revoked"),
    ("revoke", "end a token, and all sessions that it opened"),
    ("link", "make a link that signs one browser in, once"),
)
_ARGUMENTS = {
    "serve": _serve,
    "demo": _demo,
    "jobs": _jobs,
    "watch": _watch,
    "cancel": _cancel,
    "token": _token,
}

if __name__ == "__main__":
    sys.exit(main())
