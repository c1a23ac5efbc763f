"""Courier: what earlier processes left is delivered in order, once, and what cannot be goes back."""

from functools import partial

import pytest
import trio

from clientd.actors.courier import Left
from clientd.actors.keeper import Keeper
from clientd.actors.sender import Sender
from clientd.config import TelemetrySettings
from clientd.core.spool import INTERRUPTED
from clientd.errors import HubDenied, HubRefused, HubUnavailable
from clientd.state.memory import MemorySpool, Shelf
from schemas.telemetry import Acknowledgement
from tests.fakes.hub import MemoryHub
from tests.fakes.spools import LIMITS, lot, update

SETTINGS = TelemetrySettings(
    backoff_least=0.01, backoff_most=0.02, denied_retry=0.05, final_retry=0.01, spool_look=0.02
)
"""Short waits on the real clock: threads work, which a clock that jumps by itself would jump over."""


class Delivering:
    """Processes that died and left lots, and the one that delivers them."""

    def __init__(self, environment):
        self.hub = MemoryHub()
        self.environment = environment
        self._shelf = Shelf()
        self.keeper = Keeper(self.spool(), environment=environment, settings=SETTINGS)

    def spool(self):
        return MemorySpool(self.environment, limits=LIMITS, sender="clientd/test", shelf=self._shelf)

    def leave(self, job_id, *statuses):
        """An attempt with these events; a process that is killed then."""
        spool = self.spool()
        attempt = spool.begin(job_id, "backup", None).attempt
        spool.save(
            [
                lot(
                    job_id,
                    attempt,
                    *(
                        update(self.environment, number, job_id=job_id, attempt=attempt, status=status)
                        for number, status in enumerate(statuses, 1)
                    ),
                )
            ]
        )
        spool.vanish()

    async def run(self, *, scope=None, **more):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.keeper.run)
            with scope or trio.CancelScope(), Left(self.keeper, SETTINGS, **{"once": True, **more}) as left:
                await Sender(left, self.hub, environment=self.environment, settings=SETTINGS).run()
            assert await self.keeper.settled()
            nursery.cancel_scope.cancel()
        return left

    @property
    def told(self):
        return [(update.job_id, update.attempt, update.status) for update in self.hub.told]


@pytest.fixture
def delivering(environment):
    return Delivering(environment)


async def test_what_is_left_is_delivered_in_order_and_is_gone(delivering, said):
    delivering.leave("a", "running", "failed")
    delivering.leave("b", "running", "completed")
    left = await delivering.run()
    assert delivering.told == [
        ("a", 1, "running"),
        ("a", 1, "failed"),
        ("b", 1, "running"),
        ("b", 1, "completed"),
    ]
    assert (left.delivered, left.refusals) == (4, 0)
    ends = [line for line in said if line["event"] == "the end of an earlier job is delivered"]
    assert [(line["job_id"], line["status"]) for line in ends] == [("a", "failed"), ("b", "completed")]
    assert (await delivering.run()).delivered == 0


async def test_the_end_of_a_killed_process_is_delivered_though_it_never_told_it(delivering):
    delivering.leave("a", "running")
    await delivering.run()
    assert delivering.told == [("a", 1, "running"), ("a", 1, "failed")]
    assert delivering.hub.told[-1].error == INTERRUPTED


async def test_a_job_that_goes_on_by_itself_gets_no_end(delivering):
    delivering.leave("a", "running")
    await delivering.run(resuming=lambda: {"a"})
    assert delivering.told == [("a", 1, "running")]


async def test_a_superseded_attempt_is_dropped_and_the_others_go_on(delivering):
    delivering.leave("a", "running", "failed")
    delivering.leave("b", "completed")
    delivering.hub.answers.append(Acknowledgement(applied=False, reason="superseded", command="superseded"))
    await delivering.run()
    assert [update.job_id for update in delivering.hub.pushes] == ["a", "b"]
    assert (await delivering.run()).delivered == 0


async def test_what_the_hub_refuses_is_set_aside_and_the_rest_goes_on(delivering, said):
    delivering.leave("a", "running", "failed")
    delivering.hub.answers.append(HubRefused("400: no"))
    left = await delivering.run()
    assert delivering.told == [("a", 1, "failed")]
    assert left.refusals == 1
    [refused] = [line for line in said if line["log_level"] == "error"]
    assert (refused["job_id"], refused["sequence"], refused["error"]) == ("a", 1, "400: no")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delivering.keeper.run)
        assert (await delivering.keeper.holding()).aside == 1
        nursery.cancel_scope.cancel()


async def test_a_hub_that_is_away_is_tried_again_and_ages_are_told(delivering):
    delivering.leave("a", "completed")
    delivering.hub.answers.extend([HubUnavailable("away")] * 3)
    await delivering.run()
    assert delivering.told == [("a", 1, "completed")]
    ages = [update.age for update in delivering.hub.pushes]
    assert ages == sorted(ages)
    assert ages[-1] >= 0.03


async def test_a_hub_that_denies_us_is_not_waited_for_and_all_goes_back(delivering):
    delivering.leave("a", "running", "failed")
    delivering.hub.answers.append(HubDenied("401: who are you"))
    await delivering.run()
    assert delivering.told == []
    await delivering.run()
    assert delivering.told == [("a", 1, "running"), ("a", 1, "failed")]


async def test_in_a_service_it_looks_again_and_waits_for_a_hub_that_denies_us(delivering):
    delivering.hub.answers.append(HubDenied("401: who are you"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(delivering.run, once=False))
        await trio.testing.wait_all_tasks_blocked()
        delivering.leave("a", "failed")
        await delivering.hub.wait_until(lambda hub: hub.told)
        delivering.leave("b", "failed")
        await delivering.hub.wait_until(lambda hub: len(hub.told) == 2)
        nursery.cancel_scope.cancel()
    assert delivering.told == [("a", 1, "failed"), ("b", 1, "failed")]
    assert delivering.hub.times[1] - delivering.hub.times[0] >= SETTINGS.denied_retry


async def test_a_cancel_gives_back_what_is_not_delivered(delivering):
    delivering.leave("a", "running", "failed")
    delivering.hub.hold()
    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(delivering.run, scope=scope))
        await delivering.hub.wait_until(lambda hub: hub.pushes)
        scope.cancel()
    delivering.hub.release()
    await delivering.run()
    assert delivering.told == [("a", 1, "running"), ("a", 1, "failed")]
