"""Sna: the legacy progress endpoint over HTTP, the client's second channel."""

from types import TracebackType

import httpx
import trio

from clientd.config import TelemetrySettings
from clientd.errors import LegacyUnavailable
from clientd.net.hub import segment
from schemas import codec
from schemas.sna import SnaProgress


class HttpSna:
    """The job `progress_id` at the endpoint `url`. Proxies and redirects are not followed, answers not read."""

    def __init__(self, url: str, progress_id: str, *, sender: str, settings: TelemetrySettings) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/progress/{segment(progress_id)}/update"
        self._timeout = settings.legacy_timeout
        self._client = httpx.AsyncClient(
            headers={"content-type": "application/json", "accept-encoding": "identity", "user-agent": sender},
            trust_env=False,
            verify=url.lower().startswith("https:"),
            timeout=settings.legacy_timeout,
            limits=httpx.Limits(max_connections=1),
        )

    async def __aenter__(self) -> "HttpSna":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def push(self, progress: SnaProgress) -> None:
        """Within the timeout in all. Raises LegacyUnavailable for anything but a 2xx."""
        try:
            with trio.fail_after(self._timeout):
                async with self._client.stream("POST", self._url, content=codec.encode(progress)) as response:
                    async for _ in response.aiter_raw():  # to its end, so that the connection serves again
                        pass
        except trio.TooSlowError:
            raise LegacyUnavailable(f"no answer within {self._timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
            raise LegacyUnavailable(str(error) or type(error).__name__) from None
        if not response.is_success:
            raise LegacyUnavailable(f"it answered {response.status_code}")
