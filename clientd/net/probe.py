"""Probe: asks the hub how it is, what time it is, and whether it lets us push, without pushing anything."""

from datetime import datetime

import httpx
import msgspec
import trio

from clientd.config import TelemetrySettings
from clientd.core import doctor
from clientd.core.doctor import Hub
from clientd.environment import Environment
from clientd.errors import printable

_NOTHING = b'{"updates":[]}'
_JSON = {"content-type": "application/json", "accept-encoding": "identity"}
_LONGEST = 64 * 1024


class _Health(msgspec.Struct):
    """Of a hub's word on itself, what is looked at."""

    live: bool
    version: str
    time: datetime | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


_decode = msgspec.json.Decoder(_Health).decode


async def ask(url: str, token: str | None, *, environment: Environment, settings: TelemetrySettings) -> Hub:
    """What the hub says. Ends within two request timeouts; what goes wrong is in the answer."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    base = url.rstrip("/")
    try:
        async with httpx.AsyncClient(
            headers=headers, trust_env=False, timeout=settings.request_timeout, verify=base.startswith("https:")
        ) as client:
            before = environment.wall()
            with trio.fail_after(settings.request_timeout):
                status, said = await _fetch(client, "GET", f"{base}/api/v1/health", b"")
            found = _read(url, status, said, before, environment.wall(), token=bool(token))
            if not found.version:
                return found
            with trio.fail_after(settings.request_timeout):
                pushed, _ = await _fetch(client, "POST", f"{base}/api/v1/telemetry", _NOTHING)
    except trio.TooSlowError:
        return Hub(url=url, error=f"not within {settings.request_timeout:g} s")
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
        return Hub(url=url, error=printable(str(error)) or type(error).__name__)
    return msgspec.structs.replace(found, push=pushed)


async def _fetch(client: httpx.AsyncClient, method: str, url: str, content: bytes) -> tuple[int, bytes]:
    """The status, and as much of the answer as may be a hub's."""
    answer = b""
    async with client.stream(method, url, content=content, headers=_JSON) as response:
        async for part in response.aiter_raw():
            answer = (answer + part)[:_LONGEST]
    return response.status_code, answer


def _read(url: str, status: int, answer: bytes, before: datetime, after: datetime, *, token: bool) -> Hub:
    try:
        said = _decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Hub(url=url, health=status, token=token)
    return Hub(
        url=url,
        health=status,
        version=printable(said.version)[:100],
        reasons=tuple(map(printable, said.reasons)),
        warnings=tuple(map(printable, said.warnings)),
        skew=doctor.skew(said.time, before, after) if said.time and said.time.tzinfo else None,
        token=token,
    )
