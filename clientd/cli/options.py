"""Options: the command line, as argparse reads it and as the commands want it."""

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import NoReturn
from urllib.parse import urlsplit

from clientd import config
from clientd.core import rate
from clientd.errors import UsageError, printable
from schemas import ids, telemetry

_CLIENTD = "The appliance's daemon of Sendense telemetry: copies disks and tells the hub how far it is."
_RUN = "Copies raw image files or block devices, in full, and tells the hub how far it is."
_DISK = """\
one disk to copy; repeat for more. SRC is a raw image file or a block device; DST is a file, which is made or
overwritten, or a block device. The last '=' with something on both sides parts them; where names hold a '='
themselves, it is the last one whose left side exists"""

_EPILOG = """\
exit codes: 0 copied and flushed; 1 the job failed, or the hub ended it; 2 the command line is wrong and nothing
was touched; 130 and 143 stopped by SIGINT and SIGTERM. A hub that is away changes none of them."""

_MOST_WORKERS = 64


class Parser(argparse.ArgumentParser):
    """Raises UsageError, so that all of them are said in one way."""

    def error(self, message: str) -> NoReturn:
        """Instead of printing the usage."""
        raise UsageError(f"{message}: see '{self.prog} --help'")


def parser() -> Parser:
    """The whole command line."""
    whole = Parser(prog="clientd", description=_CLIENTD, allow_abbrev=False)
    whole.add_argument("--version", action="store_true", help="print the version and exit")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    run = commands.add_parser(
        "run", help="copy disks and tell the hub", description=_RUN, epilog=_EPILOG, allow_abbrev=False
    )
    copy, telling = config.CopySettings(), config.TelemetrySettings()
    add = run.add_argument
    add("--disk", action="append", metavar="SRC=DST", help=_DISK)
    add("--job-id", action="append", metavar="ID", help="the job's name at the hub; default: MIGRATEKIT_JOB_ID")
    add("--hub", metavar="URL", help=f"the hub's address; default: SHA_API_URL, else {config.HUB_URL}")
    add("--job-type", metavar="TYPE", help="backup, replication, restore, ...; default: by the job id's prefix")
    add("--vm-name", metavar="NAME", default="", help="the machine; default: the hub reads it off the job id")
    add("--attempt", type=_count, default=1, metavar="N", help="raise it when the same job is run again")
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
        default=copy.workers,
        metavar="N",
        help=f"threads per disk; default: {copy.workers}",
    )
    add(
        "--final-wait",
        type=_seconds,
        default=telling.final_wait,
        metavar="SECONDS",
        help=f"longest wait for the hub to know the end; default: {telling.final_wait:g}",
    )
    add("--token-file", metavar="FILE", help="a file that holds the hub's token, readable by its owner alone")
    add("--log-format", choices=("auto", "json", "text"), default="auto", help="of the log lines on stderr")
    add("--json", action="store_true", help="end with one JSON object on stdout")
    return whole


def job_id(given: Sequence[str] | None, environment: Mapping[str, str]) -> str:
    """The one job id. Raises UsageError for none, for two, and for one that the hub would refuse."""
    found = list(dict.fromkeys(given or [])) or [environment.get("MIGRATEKIT_JOB_ID", "")]
    if len(found) > 1:
        names = ", ".join(f"'{printable(each)}'" for each in found)
        raise UsageError(f"several job ids were given ({names}): run one job at a time")
    if not found[0]:
        raise UsageError("no job id was given: name one with --job-id or in MIGRATEKIT_JOB_ID")
    if problem := ids.job_id_problem(found[0]):
        raise UsageError(f"the job id '{printable(found[0])}' {problem}: name another with --job-id")
    return found[0]


def job_type(given: str | None, job: str) -> str:
    """The job type. Raises UsageError for one that the hub would refuse."""
    kind = given or ids.job_type_of(job)
    if problem := ids.job_type_problem(kind):
        raise UsageError(f"the job type '{printable(kind)}' {problem}: name another with --job-type")
    return kind


def vm_name(given: str) -> str:
    """The machine's name. Raises UsageError for one that cannot go over the wire."""
    if given != printable(given):
        raise UsageError(f"the machine's name '{printable(given)}' must be printable text: name it with --vm-name")
    return given


def hub_url(given: str | None, environment: Mapping[str, str]) -> str:
    """The hub's address. Raises UsageError for what is not an http or https URL."""
    url = given or environment.get("SHA_API_URL") or config.HUB_URL
    if url != printable(url) or " " in url or not _names_a_host(url):
        raise UsageError(f"the hub's address '{printable(url)}' is no http:// or https:// URL: see --hub")
    return url


def pairs(given: Sequence[str] | None) -> list[tuple[str, str]]:
    """(source, target) of each --disk. Raises UsageError for none, too many, or one that does not part."""
    if not given:
        raise UsageError("no disk was given: name one with --disk SRC=DST")
    if len(given) > telemetry.DISKS:
        raise UsageError(f"{len(given)} disks were given, a job may have {telemetry.DISKS}: split it in two")
    return [part(each) for each in given]


def part(text: str) -> tuple[str, str]:
    """SRC=DST as (SRC, DST). Raises UsageError where no '=' has something on both sides."""
    places = [at for at, letter in enumerate(text) if letter == "=" and 0 < at < len(text) - 1]
    if not places:
        raise UsageError(f"the disk '{printable(text)}' is not SRC=DST: name a source, '=', and a target")
    existing = [at for at in places if os.path.exists(text[:at])]
    at = (existing or places)[-1]
    return text[:at], text[at + 1 :]


def token(path: str | None) -> str | None:
    """The token in the file. Raises UsageError for one that cannot be read, or that others may read."""
    if path is None:
        return None
    try:
        with open(path, encoding="ascii") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise UsageError(f"the token file '{printable(path)}' is open to others: run chmod 600 on it")
            found = file.read(4096).strip()
    except (OSError, UnicodeError) as error:
        raise UsageError(f"the token file '{printable(path)}' cannot be read ({error}): check its path") from None
    if not found or not found.isprintable() or " " in found:
        raise UsageError(f"the token file '{printable(path)}' holds no token: put one line with it there")
    return found


def _names_a_host(url: str) -> bool:
    """It is an http or https URL with a host that a resolver would take, and a port that can be one."""
    import httpx  # late: --help does not need it

    try:
        httpx.URL(url)
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        return parts.scheme in ("http", "https") and host.strip(b".") != b"" and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        return False


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
