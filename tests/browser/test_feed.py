"""The feed as a state machine, with a clock and sockets of paper, in the browser."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.stage import ORIGIN, at, job

SET_UP = """async (origin) => {
  const { Feed, delay } = await import(`${origin}/assets/feed.js`);
  const { Clock } = await import(`${origin}/assets/clock.js`);
  window.wall = 1000;
  window.at = 0;
  window.delay = delay;
  window.sockets = [];
  window.clock = new Clock(() => window.at, () => window.wall);
  const open = (address) => {
    const socket = { address, isClosed: false, close() { this.isClosed = true; } };
    window.sockets.push(socket);
    return socket;
  };
  window.feed = new Feed(`${origin}/behind/a/proxy/`, window.clock, () => {}, open, () => 0.5);
  window.feed.connect();
}"""


class PaperFeed:
    """The feed in the page, and what happens to it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.evaluate(SET_UP, ORIGIN)

    def hear(self, kind: str, **said: Any) -> None:
        """A frame on the newest connection."""
        self.run(
            "({ text }) => sockets.at(-1).onmessage({ data: JSON.stringify(text) })", text={"type": kind, **said}
        )

    def greet(self, sequence: int = 10, hub: str = "hub-a") -> None:
        """Hello and a snapshot without jobs."""
        self.hear("hello", hub=hub, heartbeat=5.0, protocol=1)
        self.hear("snapshot", sequence=sequence, jobs=[])

    def close(self) -> None:
        """The newest connection ends."""
        self.run("() => sockets.at(-1).onclose()")

    def wait(self, seconds: float) -> None:
        """Time passes, and the feed looks."""
        self.run("({ ms }) => { at += ms; wall += ms; feed.look(); }", ms=seconds * 1000)

    def run(self, script: str, **given: Any) -> Any:
        """Runs a function of the page."""
        return self._page.evaluate(script, given)

    @property
    def state(self) -> tuple[str, str | None]:
        """The state, and why."""
        return tuple(self.run("() => [feed.state, feed.reason]"))  # type: ignore[return-value]

    @property
    def addresses(self) -> list[str]:
        """Where each connection was opened."""
        return self.run("() => sockets.map((socket) => socket.address.replace(/^.*feed/, ''))")

    def jobs(self) -> dict[str, int]:
        """The revision of each job."""
        return self.run("() => Object.fromEntries([...feed.jobs.byId.values()].map((j) => [j.id, j.revision]))")


@pytest.fixture
def feed(stage, page: Page) -> PaperFeed:
    """A feed that has just opened its first connection."""
    stage.open_blank()
    return PaperFeed(page)


def test_it_is_live_with_the_first_fresh_frame_and_not_with_the_greeting(feed):
    feed.hear("hello", hub="hub-a", heartbeat=5.0, protocol=1)
    assert feed.state == ("connecting", None)
    feed.hear("snapshot", sequence=10, jobs=[])
    assert feed.state == ("live", None)


def test_its_address_stands_beside_the_page_whatever_the_prefix(feed):
    assert feed.run("() => sockets[0].address") == "ws://hub.test/behind/a/proxy/api/v1/feed"


def test_a_job_never_goes_back_whatever_order_its_versions_come_in(feed):
    feed.greet()
    feed.hear("changes", sequence=11, jobs=[job("a", revision=7)])
    feed.hear("changes", sequence=12, jobs=[job("a", revision=6)])
    feed.hear("snapshot", sequence=13, jobs=[job("a", revision=5)])
    assert feed.jobs() == {"a": 7}


def test_a_job_of_a_database_made_anew_is_another_job(feed):
    feed.greet()
    feed.hear("changes", sequence=11, jobs=[job("a", revision=7)])
    feed.hear("snapshot", sequence=20, jobs=[job("a", revision=1, created_at=at(500))])
    assert feed.jobs() == {"a": 1}


def test_a_snapshot_takes_away_what_it_does_not_hold(feed):
    feed.greet()
    feed.hear("changes", sequence=11, jobs=[job("a"), job("b")])
    feed.hear("snapshot", sequence=12, jobs=[job("b")])
    assert list(feed.jobs()) == ["b"]


def test_it_keeps_every_active_job_and_a_bounded_number_of_finished_ones(feed):
    feed.greet()
    feed.hear(
        "changes", sequence=11, jobs=[job("active"), *(job(f"done-{i}", status="completed") for i in range(505))]
    )
    kept = feed.jobs()
    assert len(kept) == 501
    assert "active" in kept
    assert "done-4" not in kept
    assert "done-5" in kept


def test_a_closed_connection_is_lost_at_once_and_resumed_from_where_it_was(feed):
    feed.greet(sequence=41)
    feed.close()
    assert feed.state == ("lost", "closed")
    feed.wait(1)
    assert feed.addresses == ["", "?since=41"]
    assert feed.state == ("lost", "closed")
    feed.hear("hello", hub="hub-a", heartbeat=5.0, protocol=1)
    feed.hear("tick", time=at(), ready=True)
    assert feed.state == ("live", None)


def test_silence_for_two_and_a_half_heartbeats_is_loss_though_the_socket_looks_open(feed):
    feed.greet()
    feed.wait(12.5)
    assert feed.state == ("live", None)
    feed.wait(0.5)
    assert feed.state == ("lost", "silent")
    assert feed.run("() => sockets[0].isClosed")
    assert feed.run("() => clock.now() - feed.since") == 13_000


def test_a_computer_that_slept_knows_that_its_numbers_are_old(feed):
    feed.greet()
    feed.run("() => { wall += 3_600_000; feed.look(); }")
    assert feed.state == ("lost", "silent")


def test_a_connection_that_brings_nothing_is_given_up(feed):
    feed.wait(10.5)
    assert feed.state == ("lost", "refused")
    assert feed.run("() => sockets[0].isClosed")


def test_it_comes_back_by_a_doubling_delay_that_is_bounded_and_partly_chance(feed):
    assert feed.run("() => [1, 2, 3, 9].map((failures) => delay(failures, 0.5))") == [750, 1500, 3000, 11250]
    assert feed.run("() => [0, 1].map((chance) => delay(5, chance))") == [7500, 15000]


def test_each_failure_lengthens_the_delay_and_a_fresh_frame_ends_it(feed):
    feed.greet()
    waits = []
    for _ in range(3):
        feed.close()
        waits.append(feed.run("() => feed.retryAt - clock.now()"))
        feed.wait(waits[-1] / 1000)
    assert waits == [750, 1500, 3000]
    feed.greet()
    feed.close()
    assert feed.run("() => feed.retryAt - clock.now()") == 750


def test_a_hub_that_says_bye_is_left_for_as_long_as_it_asks(feed):
    feed.greet()
    feed.hear("bye", after=2.0)
    assert feed.state == ("lost", "bye")
    assert feed.run("() => feed.retryAt - clock.now()") == 3_000


def test_a_position_that_the_hub_has_lost_is_not_asked_for_again(feed):
    feed.greet()
    feed.hear("resync")
    feed.close()
    feed.wait(1)
    assert feed.addresses == ["", ""]


def test_another_hub_that_takes_the_position_for_its_own_is_asked_for_everything(feed):
    feed.greet(sequence=41)
    feed.close()
    feed.wait(1)
    feed.hear("hello", hub="hub-b", heartbeat=5.0, protocol=1)
    feed.hear("changes", sequence=44, jobs=[job("a")])
    assert feed.addresses == ["", "?since=41", ""]
    assert feed.state == ("lost", "closed")
    feed.greet(sequence=44, hub="hub-b")
    assert feed.state == ("live", None)


def test_another_hub_that_knows_better_is_believed(feed):
    feed.greet(sequence=41)
    feed.close()
    feed.wait(1)
    feed.hear("hello", hub="hub-b", heartbeat=5.0, protocol=1)
    feed.hear("resync")
    feed.hear("snapshot", sequence=90, jobs=[job("a")])
    assert feed.state == ("live", None)
    assert feed.addresses == ["", "?since=41"]


def test_the_hubs_clock_is_carried_on_between_its_ticks(feed):
    feed.greet()
    feed.hear("tick", time="2026-11-24T02:14:07Z", ready=True)
    feed.wait(3)
    assert feed.run("() => new Date(clock.hubNow()).toISOString()") == "2026-11-24T02:14:10.000Z"


def test_changes_of_state_are_news_but_not_what_the_first_snapshot_tells(feed):
    feed.hear("hello", hub="hub-a", heartbeat=5.0, protocol=1)
    feed.hear("snapshot", sequence=10, jobs=[job("a")])
    feed.hear("changes", sequence=11, jobs=[job("a", revision=2), job("b")])
    feed.hear("changes", sequence=12, jobs=[job("a", revision=3, status="failed")])
    told = feed.run("() => feed.news.map(({ job, was }) => [job.id, was, job.status])")
    assert told == [["b", None, "running"], ["a", "running", "failed"]]
