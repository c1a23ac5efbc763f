"""Feed: follows the hub's live feed, and comes back to it where it left off when it is lost."""

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, HandshakeError, open_websocket_url

from schemas import feed
from schemas.job import JobView
from sendensed.cli.hub import denied
from sendensed.environment import Environment
from sendensed.errors import HubUnreachable, Unwritable

_SNAPSHOT_BYTES = 2**28
"""Largest frame taken: a snapshot of a hundred thousand jobs."""
_SILENCE = 2.5
"""Heartbeats without a frame after which the feed counts as lost, though the socket looks open."""
_CONNECT = 5.0
"""Seconds to connect and to hear `hello`."""
_PAUSES = (0.5, 8.0)
"""First and longest pause between two attempts, in seconds."""


class Watched:
    """What is known of the hub's jobs.

    `lost_at` is trio's time since which the feed is lost, None while it is live; `frames` counts those of the
    present connection.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, JobView] = {}
        self.lost_at: float | None = None
        self.ready = True
        self.sequence: int | None = None
        self.frames = 0
        self._hub_time: datetime | None = None
        self._hub_time_at = 0.0

    def now(self) -> datetime | None:
        """The hub's clock, carried forward."""
        if self._hub_time is None:
            return None
        return self._hub_time + timedelta(seconds=trio.current_time() - self._hub_time_at)

    def take(self, frame: feed.Frame) -> list[JobView]:
        """Applies a frame; returns the jobs that it brought news of."""
        self.lost_at = None
        self.frames += 1
        if isinstance(frame, feed.Tick):
            self._hub_time, self._hub_time_at, self.ready = frame.time, trio.current_time(), frame.ready
        if not isinstance(frame, feed.Snapshot | feed.Changes):
            return []
        if isinstance(frame, feed.Snapshot):
            kept = {job.id for job in frame.jobs}
            self.jobs = {job_id: job for job_id, job in self.jobs.items() if job_id in kept}
        self.sequence = frame.sequence
        news = [job for job in frame.jobs if job.id not in self.jobs or self.jobs[job.id].revision < job.revision]
        self.jobs.update((job.id, job) for job in news)
        return news


async def follow(
    hub: str,
    query: list[tuple[str, str]],
    watched: Watched,
    environment: Environment,
    on_news: Callable[[list[JobView]], None],
    token: str | None = None,
) -> None:
    """Follows until cancelled; calls `on_news` after every frame with the jobs that changed.

    Raises HubUnreachable where the first connection fails, Denied where the hub refuses the token; a feed lost
    later is taken up again for ever.
    """
    pause = _PAUSES[0]
    while True:
        watched.frames = 0
        try:
            await _read(hub, query, watched, on_news, token)
        except Unwritable:  # nobody reads what `on_news` prints
            raise
        except (OSError, ValueError, HandshakeError, ConnectionClosed, trio.TooSlowError) as error:
            if isinstance(error, ConnectionRejected) and error.status_code in (401, 403):
                raise denied(hub, "the live feed needs a token that may read") from None
            if watched.sequence is None:
                raise HubUnreachable(
                    f"no live feed at {hub}: {str(error) or type(error).__name__}; "
                    "is it running (sendensed serve), is --hub right?"
                ) from None
        if watched.lost_at is None:
            watched.lost_at = trio.current_time()
        if watched.frames:
            pause = _PAUSES[0]
        await trio.sleep(pause * (0.5 + environment.random() / 2))
        pause = min(2 * pause, _PAUSES[1])


async def _read(
    hub: str,
    query: list[tuple[str, str]],
    watched: Watched,
    on_news: Callable[[list[JobView]], None],
    token: str | None,
) -> None:
    """Reads one connection until `bye`. Raises what it raises, and trio.TooSlowError for silence."""
    asked = query if watched.sequence is None else [*query, ("since", str(watched.sequence))]
    address = hub.rstrip("/").replace("http", "ws", 1) + "/api/v1/feed" + (f"?{urlencode(asked)}" if asked else "")
    patience = _CONNECT
    async with open_websocket_url(
        address,
        max_message_size=_SNAPSHOT_BYTES,
        connect_timeout=_CONNECT,
        disconnect_timeout=1,
        extra_headers=[] if token is None else [(b"Authorization", f"Bearer {token}".encode())],
    ) as connection:
        while True:
            with trio.fail_after(patience):
                content = await connection.get_message()
            try:
                frame = feed.decode(content)
            except msgspec.ValidationError:  # a frame of a newer hub
                continue
            if isinstance(frame, feed.Bye):
                return
            if isinstance(frame, feed.Hello):
                patience = _SILENCE * frame.heartbeat
            on_news(watched.take(frame))
