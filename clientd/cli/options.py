"""Options: what the command line says, as the commands want it."""

import os
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from msgspec.structs import replace

from clientd import config
from clientd.core.address import is_uri
from clientd.core.order import Order
from clientd.errors import UsageError, printable, reason
from schemas import ids, telemetry


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
        raise UsageError(
            f"the hub's address '{printable(url)}' is no http:// or https:// URL: give one like {config.HUB_URL}"
            " with --hub or SHA_API_URL"
        )
    return url


def with_progress_id(order: Order, environment: Mapping[str, str]) -> Order:
    """The order, told to the legacy progress endpoint under its own id there, else under the environment's."""
    return order if order.progress_job_id else replace(order, progress_job_id=progress_id(environment))


def progress_id(environment: Mapping[str, str]) -> str:
    """A job's id at the legacy progress endpoint, '' where none is set. Raises UsageError for what is none."""
    found = environment.get("MIGRATEKIT_PROGRESS_JOB_ID", "")
    if found and (problem := ids.job_id_problem(found)):
        raise UsageError(f"MIGRATEKIT_PROGRESS_JOB_ID '{printable(found)}' {problem}: set another, or none")
    return found


def legacy_url(environment: Mapping[str, str]) -> str:
    """The legacy progress endpoint's address. Raises UsageError for what is not an http or https URL."""
    url = environment.get("SNA_API_URL") or config.LEGACY_URL
    if url != printable(url) or " " in url or not _names_a_host(url):
        raise UsageError(f"SNA_API_URL '{printable(url)}' is no http:// or https:// URL: set another, or none")
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
    for at in reversed(places):
        if is_uri(text[at + 1 :]):
            return text[:at], text[at + 1 :]
    existing = [at for at in places if os.path.exists(text[:at])]
    at = (existing or places)[-1]
    return text[:at], text[at + 1 :]


def token(path: str | None) -> str | None:
    """The token in the file. Raises UsageError for one that cannot be read, or that others may read."""
    if path is None:
        return None
    try:
        with open(path, encoding="ascii") as file:
            if os.fstat(file.fileno()).st_mode & _others(path):
                raise UsageError(f"the token file '{printable(path)}' is open to others: run chmod 600 on it")
            found = file.read(4096).strip()
    except OSError as error:
        raise UsageError(
            f"the token file '{printable(path)}' cannot be read: {reason(error)}: check its path"
        ) from None
    except UnicodeError:
        found = ""
    if not found or not found.isprintable() or " " in found:
        raise UsageError(f"the token file '{printable(path)}' holds no token: put one line with it there")
    return found


def _others(path: str) -> int:
    """The mode's bits that must not be set. A service's credentials may be given by an ACL, as to a group."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    return 0o007 if given and os.path.dirname(os.path.abspath(path)) == given else 0o077


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
