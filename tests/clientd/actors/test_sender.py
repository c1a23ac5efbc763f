"""Sender: events in order, then the newest; every answer has its consequence; the end is bounded."""

import pytest
import trio

from clientd.actors.sender import Sender
from clientd.actors.telling import Delivery, Telling
from clientd.config import TelemetrySettings
from clientd.core.outbox import MemoryOutbox, Update
from clientd.errors import HubDenied, HubRefused, HubUnavailable
from clientd.latest import Latest
from schemas.telemetry import Acknowledgement, TelemetryBody
from tests.fakes.hub import MemoryHub

SETTINGS = TelemetrySettings()


class Sending:
    """A sender with its neighbours in the test's hand."""

    def __init__(self, environment):
        self.newest = Latest[Update]()
        self.outbox = MemoryOutbox()
        self.hub = MemoryHub()
        self.delivery = Delivery()
        self.stopped: list[str] = []
        self._environment = environment
        telling = Telling(2, self.newest, self.outbox, self.stopped.append, self.delivery)
        self._sender = Sender(telling, self.hub, environment=environment, settings=SETTINGS)

    async def run(self):
        await self._sender.run()

    def say(self, sequence: int, *, event: bool = False, status: str = "running", attempt: int = 2):
        body = TelemetryBody(
            job_id="backup-x",
            job_type="backup",
            status=status,
            attempt=attempt,
            sequence=sequence,
            bytes_transferred=sequence,
        )
        update = Update(body, self._environment.moment())
        if event:
            self.outbox.add(update)
        self.newest.put(update)

    def end(self, sequence: int, status: str = "completed"):
        self.say(sequence, event=True, status=status)
        self.newest.close()

    @property
    def told(self):
        return [update.sequence for update in self.hub.told]

    @property
    def tried(self):
        return [update.sequence for update in self.hub.pushes]


@pytest.fixture
def sending(environment, autojump_clock):
    return Sending(environment)


async def test_events_go_first_and_in_order_then_only_the_newest(sending, autojump_clock):
    sending.say(1, event=True)
    sending.say(2)
    sending.say(3, event=True)
    sending.say(4)
    sending.say(5)
    sending.newest.close()
    await sending.run()
    assert sending.told == [1, 3, 5]
    assert sending.delivery.sent == 3


async def test_progress_that_an_event_has_overtaken_is_not_sent(sending, autojump_clock):
    sending.hub.answers.append(HubUnavailable("away"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        sending.say(1)
        await trio.testing.wait_all_tasks_blocked()
        sending.end(2)
    assert sending.tried == [1, 2]


async def test_one_update_is_delivered_at_once(sending, autojump_clock):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        await trio.testing.wait_all_tasks_blocked()
        sending.say(1)
        await sending.hub.wait_until(lambda hub: hub.told)
        assert trio.current_time() == sending.hub.times[0]
        sending.newest.close()


async def test_an_event_without_an_answer_is_sent_again_as_it_was(sending, autojump_clock):
    sending.hub.answers.extend([HubUnavailable("away")] * 4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        sending.say(1, event=True)
        await sending.hub.wait_until(lambda hub: hub.told)
        sending.newest.close()
    assert sending.tried == [1] * 5
    waits = [later - earlier for earlier, later in zip(sending.hub.times, sending.hub.times[1:], strict=False)]
    assert waits == pytest.approx([1.5, 2.5, 4.5, 8.5])
    ages = [update.age for update in sending.hub.pushes]
    assert ages == pytest.approx([0, 1.5, 4, 8.5, 17], abs=0.01)


async def test_progress_without_an_answer_gives_way_to_the_newest(sending, autojump_clock):
    sending.hub.answers.append(HubUnavailable("away"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        sending.say(1)
        await trio.testing.wait_all_tasks_blocked()
        sending.say(2)
        sending.say(3)
        sending.newest.close()
    assert sending.tried == [1, 3]


async def test_the_hub_s_wish_for_a_pause_is_kept(sending, autojump_clock):
    sending.hub.answers.append(HubUnavailable("503", retry_after=20.0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        sending.say(1)
        await sending.hub.wait_until(lambda hub: hub.told)
        sending.newest.close()
    assert sending.hub.times[1] - sending.hub.times[0] == pytest.approx(20)


async def test_a_refused_update_is_set_aside_and_the_next_one_sent(sending, autojump_clock):
    sending.hub.answers.append(HubRefused("400: percent: must be a number"))
    sending.say(1, event=True)
    sending.end(2)
    await sending.run()
    assert sending.tried == [1, 2]
    assert sending.told == [2]
    assert sending.delivery.end_known
    assert [(each.update.sequence, each.reason) for each in sending.outbox.aside] == [
        (1, "400: percent: must be a number")
    ]


async def test_refused_progress_gives_way_to_newer_progress(sending, autojump_clock):
    sending.hub.answers.append(HubRefused("400: no"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        sending.say(1)
        await trio.testing.wait_all_tasks_blocked()
        sending.say(2)
        sending.newest.close()
    assert sending.tried == [1, 2]
    assert sending.outbox.aside == ()


async def test_a_refused_end_is_not_a_known_end(sending, autojump_clock):
    sending.hub.answers.append(HubRefused("400: no"))
    sending.end(1)
    await sending.run()
    assert not sending.delivery.end_known


async def test_a_denied_sender_asks_again_in_five_minutes(sending, autojump_clock):
    sending.hub.answers.append(HubDenied("401: who are you"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        sending.say(1, event=True)
        await sending.hub.wait_until(lambda hub: hub.told)
        sending.newest.close()
    assert sending.hub.times[1] - sending.hub.times[0] == pytest.approx(300)


async def test_a_sender_denied_at_the_end_gives_up(sending, autojump_clock):
    sending.hub.answers.extend([HubDenied("403: not yours")] * 2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        sending.say(1, event=True)
        await trio.testing.wait_all_tasks_blocked()
        sending.end(2)
    assert sending.tried == [1, 1]
    assert not sending.delivery.end_known


async def test_the_end_cuts_a_long_pause_short_and_is_tried_often(sending, autojump_clock):
    sending.hub.answers.extend([HubUnavailable("away", retry_after=200.0), *[HubUnavailable("away")] * 6])
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        sending.say(1)
        await trio.testing.wait_all_tasks_blocked()
        sending.end(2)
    assert sending.delivery.end_known
    assert trio.current_time() - began <= 6 * SETTINGS.final_retry + 1


async def test_an_end_that_a_newer_state_of_the_attempt_kept_out_is_not_known(sending, autojump_clock, said):
    sending.hub.answers.append(Acknowledgement(applied=False, reason="out_of_date"))
    sending.end(1)
    await sending.run()
    assert not sending.delivery.end_known
    assert [line["event"] for line in said] == [
        "the hub already has a later state of this attempt: run it again with --attempt 3"
    ]


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([HubUnavailable("away"), Acknowledgement(applied=False, reason="duplicate")], "completed"),
        ([Acknowledgement(applied=False, reason="final", command="cancel")], "cancelled"),
    ],
)
async def test_an_end_that_the_hub_has_already_is_known(sending, autojump_clock, said, answers, status):
    sending.hub.answers.extend(answers)
    sending.end(1, status)
    await sending.run()
    assert sending.delivery.end_known
    assert not [line for line in said if line["log_level"] == "error"]


async def test_each_kind_of_trouble_is_said_once_until_the_hub_answers(sending, autojump_clock, said):
    away, denied, refused = HubUnavailable("away"), HubDenied("401"), HubRefused("400")
    sending.hub.answers.extend([away, away, denied, denied, away, refused, away])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        sending.say(1, event=True)
        sending.say(2, event=True)
        await sending.hub.wait_until(lambda hub: len(hub.told) == 1)
        sending.newest.close()
    reachable = "hub not reachable, the copy goes on"
    assert [line["event"] for line in said] == [
        reachable,
        "hub denies us",
        reachable,
        "update refused by the hub, set aside",
        "hub reachable again",
        reachable,
        "hub reachable again",
    ]


async def test_after_the_end_nobody_claims_that_the_copy_goes_on(sending, autojump_clock, said):
    sending.hub.answers.append(HubUnavailable("away"))
    sending.end(1)
    await sending.run()
    assert said[0]["event"] == "hub not reachable, the job has ended and waits for it"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_the_end_is_known_once_it_is_acknowledged(sending, autojump_clock, status):
    sending.end(1, status)
    await sending.run()
    assert sending.delivery.end_known


async def test_a_cancel_from_the_hub_stops_the_job_and_telling_goes_on(sending, autojump_clock):
    sending.hub.answers.append(Acknowledgement(command="cancel"))
    sending.say(1, event=True)
    sending.end(2, "cancelled")
    await sending.run()
    assert sending.stopped == ["cancelled at the hub"]
    assert sending.told == [1, 2]


async def test_a_superseded_attempt_stops_and_says_nothing_more(sending, autojump_clock):
    sending.hub.answers.append(Acknowledgement(command="superseded"))
    sending.say(1, event=True)
    sending.say(2, event=True)
    await sending.run()
    assert sending.stopped == ["superseded by a newer attempt"]
    assert sending.delivery.superseded
    assert sending.tried == [1]
    assert sending.outbox.head() is None


async def test_what_an_earlier_attempt_left_is_sent_first_and_ends_nothing(sending, autojump_clock, said):
    sending.hub.answers.extend(
        [Acknowledgement(command="cancel"), Acknowledgement(applied=False, reason="final", command="cancel")]
    )
    sending.say(8, event=True, attempt=1)
    sending.say(9, event=True, attempt=1, status="failed")
    sending.end(1)
    await sending.run()
    assert sending.tried == [8, 9, 1]
    assert sending.stopped == []
    assert sending.delivery.end_known
    assert not [line for line in said if line["log_level"] == "error"]


async def test_an_earlier_attempt_that_is_superseded_drops_what_is_left_of_it_alone(sending, autojump_clock):
    sending.hub.answers.append(Acknowledgement(applied=False, reason="superseded", command="superseded"))
    sending.say(8, event=True, attempt=1)
    sending.say(9, event=True, attempt=1, status="failed")
    sending.end(1)
    await sending.run()
    assert sending.tried == [8, 1]
    assert (sending.stopped, sending.delivery.superseded) == ([], False)
    assert sending.outbox.head() is None


async def test_a_hard_cancel_keeps_what_the_hub_does_not_have(sending, autojump_clock):
    sending.hub.hold()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sending.run)
        sending.say(1, event=True)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert sending.outbox.head().sequence == 1
    assert sending.delivery.sent == 0
