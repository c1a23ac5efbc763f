"""Parser: the command line as argparse reads it."""

import argparse
from typing import Any, NoReturn

from clientd import config
from clientd.core import rate
from clientd.errors import UsageError, printable

_CLIENTD = "The appliance's daemon of Sendense telemetry: copies disks and tells the hub how far it is."
_RUN = "Copies disks, as a job file or the options say, and tells the hub how far it is."
_FLUSH = """\
Delivers to the hub what earlier commands could not: the events of jobs that ended while it was away. Exit code 0:
nothing waits any more; 1: something does."""
_STATE = """\
where what must outlive the process is kept; default: the service's directory, else /var/lib/clientd for root and
~/.local/state/clientd for others"""
_SERVE = """\
Runs jobs, many at once, as they come: by clientd submit, and as job files in a folder. The queue outlives the
daemon: what a crash interrupts goes on at the next start, from its checkpoints."""
_SERVE_EPILOG = """\
SIGTERM and SIGINT stop it: running jobs stop at their next chunk and go on at the next start; a second one does
not wait for them. Exit codes: 0 stopped; 1 the queue cannot be read; 2 it cannot begin as it is told."""
_SUBMIT = "Gives a job to the running daemon. When this returns, the job is in its queue, which outlives it."
_LIST = "Shows the daemon's jobs: those that run and wait, and the last that have ended."
_CANCEL = "Ends a job that runs or waits: it is cancelled, at the hub too."
_DOCTOR = """\
Looks at nbdkit, the hub, our token there, both clocks, the state directory and, with a job file, at its disks;
says what to do. Nothing is written to any disk. Exit code 0: all is well; 1: something has to be done."""
_ASKED = (
    "Exit codes: 0 done; 1 the daemon refuses it; 2 the command line or job file is wrong; 3 no daemon answers."
)
_SOCKET = """\
the daemon's; default: clientd.sock in the service's runtime directory, else in /run/clientd for root and in
XDG_RUNTIME_DIR/clientd for others"""
_FILE = "a job file, TOML or JSON, that says all of the job"
_DISK = """\
one disk to copy; repeat for more. SRC is a raw image file, a block device or an NBD address; DST is a file, which
is made or overwritten, a block device or an NBD address. The last '=' with something on both sides parts them;
where names hold a '=' themselves, the last one before an NBD address, else the last one whose left side exists"""
_COMMAND = """\
an nbdkit and its arguments, quoted as for a shell: it is started, read from and stopped; goes with --target"""

_EPILOG = """\
exit codes: 0 copied and flushed; 1 the job failed, or the hub ended it; 2 the command line is wrong and nothing
was touched; 130 and 143 stopped by SIGINT and SIGTERM. A hub that is away changes none of them."""

_MOST_WORKERS = 64


class Parser(argparse.ArgumentParser):
    """Raises UsageError, so that all of them are said in one way."""

    def error(self, message: str) -> NoReturn:
        """Instead of printing the usage."""
        raise UsageError(f"{message}: see '{self.prog} --help'")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Refuses what is not known where it is met: by the command that it was given to."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def parser() -> Parser:
    """The whole command line."""
    whole = Parser(prog="clientd", description=_CLIENTD, allow_abbrev=False)
    whole.add_argument("--version", action="store_true", help="print the version and exit")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    _run(
        commands.add_parser(
            "run", help="copy disks and tell the hub", description=_RUN, epilog=_EPILOG, allow_abbrev=False
        )
    )
    _flush(
        commands.add_parser(
            "flush", help="deliver what is left in the spool", description=_FLUSH, allow_abbrev=False
        )
    )
    _serve(
        commands.add_parser(
            "serve", help="run jobs as they come", description=_SERVE, epilog=_SERVE_EPILOG, allow_abbrev=False
        )
    )
    submit = commands.add_parser(
        "submit", help="give the daemon a job", description=_SUBMIT, epilog=_ASKED, allow_abbrev=False
    )
    submit.add_argument("file", metavar="FILE", help=_FILE)
    shown = commands.add_parser(
        "list", help="show the daemon's jobs", description=_LIST, epilog=_ASKED, allow_abbrev=False
    )
    cancel = commands.add_parser(
        "cancel", help="end one of the daemon's jobs", description=_CANCEL, epilog=_ASKED, allow_abbrev=False
    )
    cancel.add_argument("job_id", metavar="ID", help="the job's id, as clientd list shows it")
    examined = commands.add_parser(
        "doctor", help="look at what jobs need", description=_DOCTOR, allow_abbrev=False
    )
    examined.add_argument("file", nargs="?", metavar="FILE", help="a job file whose disks are looked at, too")
    examined.add_argument(
        "--hub", metavar="URL", help=f"the hub's address; default: SHA_API_URL, else {config.HUB_URL}"
    )
    _common(examined)
    for asked in (submit, shown, cancel):
        asked.add_argument("--socket", metavar="PATH", help=_SOCKET)
        asked.add_argument("--json", action="store_true", help="one JSON object on stdout for each job")
    return whole


def _serve(serve: Parser) -> None:
    add = serve.add_argument
    add("--config", metavar="FILE", help="settings in TOML; the options below come before its own")
    add("--hub", metavar="URL", help=f"the hub's address; default: SHA_API_URL, else {config.HUB_URL}")
    add(
        "--folder",
        metavar="DIR",
        help="job files that are put there are taken; default: jobs in the state directory",
    )
    add("--socket", metavar="PATH", help=_SOCKET)
    _shared(serve)


def _run(run: Parser) -> None:
    copy, telling = config.CopySettings(), config.TelemetrySettings()
    add = run.add_argument
    add("file", nargs="?", metavar="FILE", help=_FILE)
    add("--disk", action="append", metavar="SRC=DST", help=_DISK)
    add("--source-command", metavar="COMMAND", help=_COMMAND)
    add("--source-secret", metavar="FILE", help="a file whose descriptor takes the place of {secret} in COMMAND")
    add("--target", metavar="DST", help="where --source-command's disk goes")
    add("--verify", action="store_true", help="read the target again and compare it with what was read")
    add("--job-id", action="append", metavar="ID", help="the job's name at the hub; default: MIGRATEKIT_JOB_ID")
    add("--hub", metavar="URL", help=f"the hub's address; default: SHA_API_URL, else {config.HUB_URL}")
    add("--job-type", metavar="TYPE", help="backup, replication, restore, ...; default: by the job id's prefix")
    add("--vm-name", metavar="NAME", default="", help="the machine; default: the hub reads it off the job id")
    add("--attempt", type=_count, metavar="N", help="of this job; default: the one after its last")
    add(
        "--max-rate",
        type=_rate,
        default=0,
        metavar="BYTES_PER_S",
        help="limit, with K, M, G or T if you like",
    )
    add(
        "--workers",
        type=_workers,
        default=0,
        metavar="N",
        help=f"threads per disk; default: {copy.workers}, and {copy.remote_workers} from server to server",
    )
    add(
        "--final-wait",
        type=_seconds,
        default=telling.final_wait,
        metavar="SECONDS",
        help=f"longest wait for the hub to know the end; default: {telling.final_wait:g}",
    )
    _common(run)


def _flush(flush: Parser) -> None:
    add = flush.add_argument
    add("--hub", metavar="URL", help=f"the hub's address; default: SHA_API_URL, else {config.HUB_URL}")
    wait = config.TelemetrySettings().final_wait
    help_wait = f"longest time in all; default: {wait:g}"
    add("--wait", dest="final_wait", type=_seconds, default=wait, metavar="SECONDS", help=help_wait)
    _common(flush)


def _common(command: Parser) -> None:
    _shared(command)
    command.add_argument("--json", action="store_true", help="end with one JSON object on stdout")


def _shared(command: Parser) -> None:
    add = command.add_argument
    add("--state-dir", metavar="DIR", help=_STATE)
    add("--token-file", metavar="FILE", help="a file that holds the hub's token, readable by its owner alone")
    add("--log-format", choices=("auto", "json", "text"), default="auto", help="of the log lines on stderr")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 2**31 - 1:
        raise argparse.ArgumentTypeError(f"'{printable(text)}' is not a whole number from 1 on")
    return int(text)


def _workers(text: str) -> int:
    if _count(text) > _MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text} is more than {_MOST_WORKERS}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"'{printable(text)}' is not a number of seconds from 0 to 86400")
    return value


def _rate(text: str) -> int:
    found = rate.parse(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"'{printable(text)}' is not a rate like 800000, 800K, 50M or 1G")
    return found
