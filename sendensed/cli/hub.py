"""Hub: what the commands ask of a running hub, over REST."""

from typing import TypeVar
from urllib.parse import quote, urlencode

import httpx
import msgspec

from schemas.fault import FaultBody
from schemas.job import JobDetail, JobList, Stopping
from sendensed.cli import credentials
from sendensed.errors import Denied, HubUnreachable, NotFound, SendensedError

T = TypeVar("T")

_TIMEOUT = 10.0
"""Seconds that a hub may take for an answer."""


def get(hub: str, path: str, query: list[tuple[str, str]], kind: type[T], token: str | None) -> T:
    """Asks the hub; returns its answer, read as `kind`.

    Raises HubUnreachable where nobody answers, NotFound for a 404, Denied for a 401 or 403, SendensedError with
    the hub's own sentence for any other refusal.
    """
    return _read(hub, _ask(hub, "GET", path + (f"?{urlencode(query)}" if query else ""), token), kind)


def _ask(hub: str, method: str, path: str, token: str | None) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        return httpx.request(method, hub.rstrip("/") + path, headers=headers, timeout=_TIMEOUT, trust_env=False)
    except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise HubUnreachable(
            f"no hub answers at {hub}: {error}; is it running (sendensed serve), is --hub right?"
        ) from None


def _read(hub: str, answer: httpx.Response, kind: type[T]) -> T:
    if answer.is_success:
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise SendensedError(f"what answers at {hub} is no hub of this version: {error}") from None
    if answer.status_code in (401, 403):
        raise denied(hub, _sentence(hub, answer))
    raise (NotFound if answer.status_code == 404 else SendensedError)(_sentence(hub, answer))


def denied(hub: str, said: str) -> Denied:
    """What is said when the hub wants a token, or another one."""
    return Denied(
        f"the hub at {hub} says: {said}; give a token with --token-file, {credentials.VARIABLE} or in "
        f"{credentials.own_file()}"
    )


def _sentence(hub: str, answer: httpx.Response) -> str:
    try:
        return msgspec.json.decode(answer.content, type=FaultBody).error.message
    except (msgspec.ValidationError, msgspec.DecodeError):
        return f"the hub at {hub} answered {answer.status_code}"


def jobs(hub: str, query: list[tuple[str, str]], token: str | None) -> JobList:
    """The hub's jobs, newest first."""
    return get(hub, "/api/v1/jobs", query, JobList, token)


def job(hub: str, job_id: str, token: str | None) -> JobDetail:
    """One job with its disks and its history."""
    return get(hub, f"/api/v1/jobs/{quote(job_id, safe='')}", [], JobDetail, token)


def cancel(hub: str, job_id: str, token: str | None) -> Stopping:
    """Asks the job to stop."""
    return _read(hub, _ask(hub, "POST", f"/api/v1/jobs/{quote(job_id, safe='')}/cancel", token), Stopping)
