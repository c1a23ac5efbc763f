"""Sna: the newest state and the end reach the legacy endpoint, and nothing it does matters to anybody."""

import pytest
import trio

from clientd.actors import sna
from clientd.config import TelemetrySettings
from clientd.errors import LegacyUnavailable
from clientd.latest import Latest
from tests.fakes.spools import update

SETTINGS = TelemetrySettings()


class Endpoint:
    """Takes what it is told; raises the scripted errors first; hangs until `release` where told to."""

    def __init__(self):
        self.told = []
        self.errors = []
        self.hanging = False
        self.entered = trio.Event()

    async def push(self, progress):
        self.entered.set()
        if self.hanging:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        if self.errors:
            raise self.errors.pop(0)
        self.told.append(progress)


class Telling:
    def __init__(self, environment):
        self.newest = Latest()
        self.endpoint = Endpoint()
        self._environment = environment

    def say(self, sequence, status="running"):
        self.newest.put(update(self._environment, sequence, status=status))

    async def run(self):
        await sna.run(self.newest, self.endpoint, settings=SETTINGS)

    @property
    def told(self):
        return [progress.status for progress in self.endpoint.told]


@pytest.fixture
def telling(environment):
    return Telling(environment)


async def test_each_state_and_the_end_are_told(telling, nursery):
    async with trio.open_nursery() as inner:
        inner.start_soon(telling.run)
        for sequence in (1, 2):
            telling.say(sequence)
            await trio.testing.wait_all_tasks_blocked()
        telling.say(3, "completed")
        telling.newest.close()
    assert telling.told == ["in_progress", "in_progress", "completed"]


async def test_trouble_is_said_once_and_its_end_too(telling, said):
    telling.endpoint.errors = [LegacyUnavailable("it answered 500"), LegacyUnavailable("it answered 500")]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(telling.run)
        for sequence in (1, 2, 3):
            telling.say(sequence)
            await trio.testing.wait_all_tasks_blocked()
        telling.newest.close()
    assert [line["event"] for line in said] == [
        "the legacy progress endpoint does not take our updates, the copy goes on",
        "the legacy progress endpoint takes our updates again",
    ]
    assert said[0]["error"] == "it answered 500"


async def test_a_push_that_hangs_gives_way_to_the_end(telling, autojump_clock):
    telling.endpoint.hanging = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(telling.run)
        telling.say(1)
        await telling.endpoint.entered.wait()
        telling.endpoint.hanging = False
        telling.say(2, "failed")
        telling.newest.close()
    assert telling.told == ["failed"]


async def test_an_endpoint_that_hangs_at_the_end_is_waited_for_once(telling, autojump_clock, said):
    telling.endpoint.hanging = True
    telling.say(1, "completed")
    telling.newest.close()
    began = trio.current_time()
    await telling.run()
    assert trio.current_time() - began == pytest.approx(SETTINGS.legacy_timeout)
    assert said[0]["error"] == "no answer within 5 s"


async def test_a_hard_cancel_abandons_a_push(telling):
    telling.endpoint.hanging = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(telling.run)
        telling.say(1)
        await telling.endpoint.entered.wait()
        nursery.cancel_scope.cancel()
    assert telling.told == []


async def test_a_job_that_went_away_without_an_end_ends_it(telling):
    telling.newest.close()
    await telling.run()
    assert telling.told == []
