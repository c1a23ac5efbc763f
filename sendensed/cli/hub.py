"""Hub: what the commands ask of a running hub, over REST."""

from typing import TypeVar
from urllib.parse import quote, urlencode

import httpx
import msgspec

from schemas.fault import FaultBody
from schemas.job import JobDetail, JobList
from sendensed.errors import HubUnreachable, NotFound, SendensedError

T = TypeVar("T")

_TIMEOUT = 10.0
"""Seconds that a hub may take for an answer."""


def get(hub: str, path: str, query: list[tuple[str, str]], kind: type[T]) -> T:
    """Asks the hub; returns its answer, read as `kind`.

    Raises HubUnreachable where nobody answers, NotFound for a 404, SendensedError with the hub's own
    sentence for any other refusal.
    """
    address = hub.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
    try:
        answer = httpx.get(address, timeout=_TIMEOUT, trust_env=False)
    except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise HubUnreachable(
            f"no hub answers at {hub}: {error}; is it running (sendensed serve --open), is --hub right?"
        ) from None
    if answer.is_success:
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise SendensedError(f"what answers at {hub} is no hub of this version: {error}") from None
    raise (NotFound if answer.status_code == 404 else SendensedError)(_sentence(hub, answer))


def _sentence(hub: str, answer: httpx.Response) -> str:
    try:
        return msgspec.json.decode(answer.content, type=FaultBody).error.message
    except (msgspec.ValidationError, msgspec.DecodeError):
        return f"the hub at {hub} answered {answer.status_code}"


def jobs(hub: str, query: list[tuple[str, str]]) -> JobList:
    """The hub's jobs, newest first."""
    return get(hub, "/api/v1/jobs", query, JobList)


def job(hub: str, job_id: str) -> JobDetail:
    """One job with its disks and its history."""
    return get(hub, f"/api/v1/jobs/{quote(job_id, safe='')}", [], JobDetail)
