"""Parser: the command line of sendensed. It knows every word, and imports nothing of what they do."""

from collections.abc import Callable, Sequence

from schemas import __version__
from sendensed.cli import options
from sendensed.cli.options import Parser

_SENDENSED = "The hub of Sendense telemetry: live, truthful numbers of VM backup jobs."
_EPILOG = """\
exit codes: 0 ok; 1 error; 2 wrong command line, nothing was done; 3 some of several were done; 4 the job failed or
was cancelled; 5 timeout, or stalled; 6 not found; 7 denied; 8 no hub answers; 130 interrupted"""
_NAMES = "_names"
_COMMANDS = (
    ("serve", "run the hub"),
    ("demo", "copy two real disk images and watch them live"),
    ("jobs", "list jobs"),
    ("job", "show jobs whole: disks, history, estimates"),
    ("watch", "follow jobs live"),
    ("wait", "wait until jobs have come to a state"),
    ("top", "the running jobs on the whole terminal, live"),
    ("events", "what happened to jobs, who said it and why"),
    ("machines", "list machines: sizes, durations, success"),
    ("machine", "show one machine and its runs"),
    ("appliances", "list appliances: version, last heard, clock, what waits there"),
    ("cancel", "ask jobs to stop"),
    ("export", "write all that the hub knows of a job into one file"),
    ("replay", "show the page as it was, from an exported file"),
    ("completion", "print a completion script for a shell"),
    ("token", "make, list, change and revoke tokens"),
)
_TOKEN_ACTIONS = (
    ("create", "make a token; it is shown once"),
    ("list", "who has tokens, and when each was last used"),
    ("rotate", "make a second token for a name; the old one stays until it is revoked"),
    ("revoke", "end a token, and all sessions that it opened"),
    ("link", "make a link that signs one browser in, once"),
)


def parser(named: str | None = None) -> Parser:
    """The whole command line; of a command that is named this one alone; the names of all where there is no such.

    What is not asked for is left out because it takes longer to put together than all the rest of a start.
    """
    whole = Parser(prog="sendensed", description=_SENDENSED, epilog=_EPILOG)
    whole.add_argument("--version", action="version", version=f"sendensed {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser, prog=whole.prog)
    for name, purpose in _COMMANDS:
        if named in _ARGUMENTS and name != named:
            continue
        described = f"{purpose[0].upper()}{purpose[1:]}."
        command = commands.add_parser(name, help=purpose, description=described, epilog=_EPILOG)
        if named is None or name == named:
            _ARGUMENTS[name](command)
    if named != _NAMES:
        return whole
    names = commands.add_parser(_NAMES)  # what the completion scripts ask
    names.add_argument("kind", choices=("jobs", "machines", "appliances"))
    names.add_argument("--hub", default=options.hub_address())
    names.add_argument("--token-file")
    return whole


def command_in(arguments: Sequence[str]) -> str:
    """The command that these words name: the first that is no option, as none before it takes a value."""
    return next((word for word in arguments if not word.startswith("-")), "")


def _store(command: Parser) -> None:
    command.add_argument("--state-dir", metavar="DIR", help="where the embedded PostgreSQL keeps its data")
    command.add_argument("--database", metavar="URL", help="a PostgreSQL 15 or newer, instead of the embedded one")
    command.add_argument("--config", metavar="FILE", help="a TOML file with further settings")


def _serve(command: Parser) -> None:
    add = command.add_argument
    add("--listen", metavar="HOST:PORT", help="where to listen (127.0.0.1:8082); port 0 takes any")
    _store(command)
    add("--workers", type=int, metavar="N", help="so many hub processes at one address (1)")
    add("--open", action="store_true", help="no tokens: anyone on this machine may read and send")
    add("--allow-plaintext", action="store_true", help="listen beyond this machine without TLS")
    add("--log-level", choices=("debug", "info", "warning", "error"), default="info")


def _demo(command: Parser) -> None:
    add = command.add_argument
    add("--size", metavar="BYTES", default="256M", help="size of each disk image (256M)")
    add("--seconds", type=float, default=60.0, help="how long the throttled copy should take (60)")
    add("--listen", metavar="HOST:PORT", help="where the hub listens (127.0.0.1:8082, or any port)")
    add("--once", action="store_true", help="unthrottled, without a terminal, then exit")
    add("--json", action="store_true", help="with --once: print one JSON object")


def _jobs(command: Parser) -> None:
    options.hub(command)
    options.selection(command)
    options.output(command)
    options.order(command, options.JOB_ORDERS, "created")
    command.add_argument("--limit", type=options.count, default=100, metavar="N", help="at most so many (100)")


def _job(command: Parser) -> None:
    options.hub(command)
    options.output(command)
    command.add_argument("id", nargs="+", metavar="ID", help="the job's id, as jobs shows it")


def _watch(command: Parser) -> None:
    options.hub(command)
    options.selection(command)
    options.output(command, table=False)
    command.add_argument("id", nargs="*", metavar="ID", help="only these, until they end; without it all jobs")


def _wait(command: Parser) -> None:
    options.hub(command)
    add = command.add_argument
    add("id", nargs="+", metavar="ID", help="the jobs")
    add(
        "--for", dest="goal", choices=options.GOALS, default="completed", metavar="STATE",
        help=f"one of: {', '.join(options.GOALS)} (completed)",
    )  # fmt: skip
    add(
        "--timeout",
        type=options.duration,
        metavar="TIME",
        help="longest wait, such as 90s or 2h; then exit code 5",
    )
    add("--unless-stalled", action="store_true", help="end with exit code 5 as soon as a job is stalled")
    add("--quiet", action="store_true", help="no progress on a terminal")


def _top(command: Parser) -> None:
    options.hub(command)
    options.selection(command)
    options.order(command, options.JOB_ORDERS, "machine")
    command.add_argument("--all", action="store_true", help="also the jobs that ended lately")


def _events(command: Parser) -> None:
    options.hub(command)
    options.selection(command)
    options.output(command)
    options.order(command, options.EVENT_ORDERS, "time")
    add = command.add_argument
    add("id", nargs="*", metavar="ID", help="of these jobs; without it of those selected that were heard last")
    add("--limit", type=options.count, default=20, metavar="N", help="of so many jobs at most (20)")
    add("-f", "--follow", action="store_true", help="go on with what happens, a line for each, until interrupted")


def _machines(command: Parser) -> None:
    options.hub(command)
    options.output(command)
    options.order(command, options.MACHINE_ORDERS, "machine")
    command.add_argument("-q", metavar="TEXT", default="", help="only machines with this in their name")


def _machine(command: Parser) -> None:
    options.hub(command)
    options.output(command)
    command.add_argument("name", metavar="NAME", help="the machine, as machines shows it")
    command.add_argument(
        "--runs", type=options.count, default=20, metavar="N", help="newest runs shown, 200 at most (20)"
    )


def _appliances(command: Parser) -> None:
    options.hub(command)
    options.output(command)
    options.order(command, options.APPLIANCE_ORDERS, "appliance")


def _cancel(command: Parser) -> None:
    options.hub(command)
    command.add_argument("id", nargs="+", metavar="ID", help="the job's id, as jobs shows it")


def _export(command: Parser) -> None:
    options.hub(command)
    command.add_argument("id", metavar="ID", help="the job's id, as jobs shows it")
    command.add_argument(
        "--file", metavar="FILE", help="write here, into a new file; without it to standard output"
    )


def _replay(command: Parser) -> None:
    add = command.add_argument
    add("file", metavar="FILE", help="what export wrote; '-' is standard input")
    add("--speed", type=options.speed, default=1.0, metavar="FACTOR", help="so many times as fast as it was (1)")
    add(
        "--from",
        dest="start",
        type=options.duration,
        default=0.0,
        metavar="TIME",
        help="begin so far into the run (0)",
    )
    add("--listen", metavar="HOST:PORT", default="127.0.0.1:0", help="a loopback address (127.0.0.1, any port)")


def _completion(command: Parser) -> None:
    command.add_argument("shell", choices=options.SHELLS, help="load it: docs/cli.md says how")


def _token(command: Parser) -> None:
    actions = command.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=Parser, prog=command.prog
    )
    for action, purpose in _TOKEN_ACTIONS:
        one = actions.add_parser(action, help=purpose, description=purpose)
        _store(one)
        if action in ("create", "rotate", "link"):
            one.add_argument("name", metavar="NAME", help="whose token it is: for the role push the appliance")
        if action == "create":
            one.add_argument(
                "--role",
                required=True,
                choices=("push", "read", "operate", "admin"),
                help="push: send telemetry; read: see all; operate: read and cancel; admin: all of it",
            )
        if action in ("create", "rotate"):
            one.add_argument("--output", metavar="FILE", help="put the token into this new file, 0600")
        if action == "revoke":
            one.add_argument("key", metavar="NAME|ID", help="one token, or all of a name")
        if action == "list":
            one.add_argument("--json", action="store_true", help="one JSON object per line")
        if action == "link":
            one.add_argument("--hub", metavar="URL", help="the hub's address (that of its settings)")


_ARGUMENTS: dict[str, Callable[[Parser], None]] = {
    "serve": _serve,
    "demo": _demo,
    "jobs": _jobs,
    "job": _job,
    "watch": _watch,
    "wait": _wait,
    "top": _top,
    "events": _events,
    "machines": _machines,
    "machine": _machine,
    "appliances": _appliances,
    "cancel": _cancel,
    "export": _export,
    "replay": _replay,
    "completion": _completion,
    "token": _token,
}
