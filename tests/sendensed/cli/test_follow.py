"""Follow: how the commands keep to the live feed, and come back to it."""

from datetime import UTC, datetime

import pytest
import trio
from trio_websocket import ConnectionRejected

from schemas import feed as frames
from sendensed.cli import feed
from sendensed.core.model import Job
from sendensed.core.view import job_view
from sendensed.errors import Denied, HubUnreachable, Unwritable
from tests.sendensed.actors.rig import Quiet

NIGHT = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)


def job(job_id: str, revision: int):
    return job_view(Job(id=job_id, job_type="backup", created_at=NIGHT, revision=revision))


class Line:
    """Connections in a row: each gives its frames and then its error. Notes when they began."""

    def __init__(self, *connections: tuple[list[frames.Frame], Exception | None]) -> None:
        self.connections = list(connections)
        self.began: list[float] = []
        self.asked: list[int | None] = []

    async def read(self, hub, query, watched, on_news, token) -> None:
        self.began.append(trio.current_time())
        self.asked.append(watched.sequence)
        if not self.connections:
            await trio.sleep_forever()
        given, error = self.connections.pop(0)
        for frame in given:
            on_news(watched.take(frame))
        await trio.sleep(3600)
        if error is not None:
            raise error


async def followed(monkeypatch, line: Line, seconds: float = 100_000) -> feed.Watched:
    monkeypatch.setattr(feed, "_read", line.read)
    watched = feed.Watched()
    with trio.move_on_after(seconds):
        await feed.follow("http://hub", [], watched, Quiet(), lambda news: None)
    return watched


SNAPSHOT = frames.Snapshot(7, (job("a", 1), job("b", 1)))


async def test_a_lost_feed_is_taken_up_where_it_was_and_each_good_connection_makes_the_pause_short_again(
    autojump_clock, monkeypatch
):
    lost = OSError("reset")
    line = Line(([SNAPSHOT], lost), ([frames.Tick(NIGHT, True)], lost), ([], lost), ([], lost), ([SNAPSHOT], None))
    await followed(monkeypatch, line)
    pauses = [after - before - 3600 for before, after in zip(line.began, line.began[1:], strict=False)]
    assert pauses == pytest.approx([0.375, 0.375, 0.75, 1.5, 0.375])
    assert line.asked == [None, 7, 7, 7, 7, 7]


async def test_a_hub_that_never_answered_is_an_error(autojump_clock, monkeypatch):
    with pytest.raises(HubUnreachable, match="no live feed at http://hub: refused"):
        await followed(monkeypatch, Line(([], OSError("refused"))))


async def test_a_hub_that_refuses_the_token_is_not_tried_again(autojump_clock, monkeypatch):
    refused = ConnectionRejected(401, (), b"")
    with pytest.raises(Denied, match="--token-file"):
        await followed(monkeypatch, Line(([SNAPSHOT], OSError("reset")), ([], refused)))


async def test_a_reader_that_went_away_is_not_a_lost_feed(autojump_clock, monkeypatch):
    with pytest.raises(Unwritable):
        await followed(monkeypatch, Line(([SNAPSHOT], Unwritable())))


async def test_what_is_watched_never_goes_back_and_a_snapshot_forgets_what_is_gone(autojump_clock):
    watched = feed.Watched()
    assert [one.id for one in watched.take(SNAPSHOT)] == ["a", "b"]
    assert [one.revision for one in watched.take(frames.Changes(8, (job("a", 3),)))] == [3]
    assert watched.take(frames.Changes(9, (job("a", 2),))) == []
    assert watched.take(frames.Snapshot(10, (job("a", 3),))) == []
    assert (set(watched.jobs), watched.sequence) == ({"a"}, 10)


async def test_the_hubs_clock_is_carried_forward(mock_clock):
    watched = feed.Watched()
    assert watched.now() is None
    watched.take(frames.Tick(NIGHT, ready=False))
    mock_clock.jump(5)
    assert (watched.now() - NIGHT).total_seconds() == 5
    assert not watched.ready
