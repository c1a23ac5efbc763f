"""Hub: pushes updates over HTTP, and gives each answer the name of what the sender does next.

Proxies from the environment are not used: the hub is the near end of a tunnel or an address of its own, and a
proxy meant for downloads must not swallow telemetry. Redirects are not followed.
"""

from types import TracebackType
from typing import Literal
from urllib.parse import quote

import httpx
import msgspec
import trio

from clientd.config import TelemetrySettings
from clientd.core import retry
from clientd.errors import HubDenied, HubRefused, HubUnavailable, bounded, printable
from schemas import telemetry
from schemas.fault import FaultBody
from schemas.telemetry import Acknowledgement

_DENIED = frozenset({401, 403})
_REFUSED = frozenset({400, 413, 414, 415, 431})
_KEPT = 60.0
"""Seconds that an idle connection is kept: many beats."""


class _Success(msgspec.Struct):
    """What no acknowledgement leaves out."""

    status: Literal["success"]


_decode_success = msgspec.json.Decoder(_Success).decode
_decode_fault = msgspec.json.Decoder(FaultBody).decode


class HttpHub:
    """One hub at `url`, reached over one connection that is kept from beat to beat; over more for many.

    `token` goes into the Authorization header.
    """

    def __init__(self, url: str, *, sender: str, settings: TelemetrySettings, token: str | None = None) -> None:
        headers = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": sender}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self._url = url.rstrip("/")
        self._settings = settings
        self._client = httpx.AsyncClient(
            headers=headers,
            trust_env=False,
            verify=url.lower().startswith(
                "https:"
            ),  # reading the certificates takes 30 ms, which http can do without
            timeout=settings.request_timeout,
            limits=httpx.Limits(max_connections=settings.connections, keepalive_expiry=_KEPT),
        )

    async def __aenter__(self) -> "HttpHub":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def push(self, job_type: str, job_id: str, content: bytes) -> Acknowledgement:
        """The answer, within the request timeout in all, from connecting to the last byte.

        Raises HubUnavailable, HubDenied or HubRefused. A 200 that says nothing of success counts as no answer.
        """
        url = f"{self._url}/api/v1/telemetry/{quote(job_type, safe='')}/{segment(job_id)}"
        try:
            with trio.fail_after(self._settings.request_timeout):
                async with self._client.stream("POST", url, content=content) as response:
                    answer = await self._read(response)
        except trio.TooSlowError:
            raise HubUnavailable(f"no answer within {self._settings.request_timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:  # the resolver's are raw
            raise HubUnavailable(str(error) or type(error).__name__) from None
        return _meaning(response, answer)

    async def _read(self, response: httpx.Response) -> bytes:
        most, answer = self._settings.answer_bytes, b""
        async for part in response.aiter_raw():  # to its end: httpx's generators must not be left half-way
            answer = (answer + part)[: most + 1]
        if len(answer) > most:
            raise HubUnavailable(f"the answer is longer than {most} bytes")
        return answer


def segment(job_id: str) -> str:
    """The id as one segment of a path. A segment of dots would be taken as a way up."""
    return quote(job_id, safe="") if job_id.strip(".") else "%2E" * len(job_id)


def _meaning(response: httpx.Response, answer: bytes) -> Acknowledgement:
    if response.status_code == 200:
        try:
            _decode_success(answer)
            return telemetry.decode_acknowledgement(answer)
        except msgspec.DecodeError:
            raise HubUnavailable("the answer is not an acknowledgement: is this the hub's address?") from None
    message = f"{response.status_code}: {_said(answer)}"
    if response.status_code in _DENIED:
        raise HubDenied(message)
    if response.status_code in _REFUSED:
        raise HubRefused(message)
    raise HubUnavailable(message, retry.parse_retry_after(response.headers.get("retry-after")))


def _said(answer: bytes) -> str:
    """The hub's own words, as far as they can be shown."""
    try:
        return bounded(printable(_decode_fault(answer).error.message))
    except msgspec.DecodeError:
        return bounded(printable(answer.decode(errors="replace"))) or "no reason given"
