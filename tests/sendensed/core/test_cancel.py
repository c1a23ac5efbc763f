"""Cancel: an operator's wish is recorded, told to the sender, and ends the job; asked twice it is asked once."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from schemas.job import Stopping
from schemas.telemetry import Telemetry
from sendensed.core import batch, staleness
from sendensed.core.answer import Refusal
from sendensed.core.cancel import cancel
from sendensed.core.job import merge
from tests.fakes.jobs import EARLY

LATER = EARLY + timedelta(seconds=60)


def update(sequence=2, **fields) -> Telemetry:
    return Telemetry(
        job_type="backup", job_id="backup-web-1", **{"status": "running", "sequence": sequence, **fields}
    )


RUNNING = merge(None, update(1, bytes_transferred=5, total_bytes=10), EARLY).job


def test_a_running_job_is_asked_to_stop_and_its_history_says_by_whom():
    done = cancel(RUNNING, LATER, "ann")
    assert done.answer == Stopping("cancelling")
    assert done.job == replace(RUNNING, cancel_requested_at=LATER)
    [event] = done.events
    assert (event.kind, event.said_by, event.status, event.detail) == (
        "cancel",
        "operator",
        "running",
        "ann asked to cancel it",
    )


def test_asked_again_it_is_still_asked_once():
    asked = cancel(RUNNING, EARLY, "ann").job
    again = cancel(asked, LATER, "bob")
    assert (again.job, again.events, again.answer) == (asked, (), Stopping("cancelling"))


@pytest.mark.parametrize(
    ("said", "reason"),
    [(update(2, bytes_transferred=6), None), (update(1), "duplicate"), (update(0), "out_of_date")],
)
def test_every_answer_to_its_sender_says_cancel_until_it_ends(said, reason):
    asked = cancel(RUNNING, LATER, "ann").job
    merged = merge(asked, said, LATER)
    assert (merged.command, merged.reason) == ("cancel", reason)
    ended = merge(asked, update(3, status="cancelled", error="cancelled at the hub"), LATER)
    assert (ended.job.status, ended.job.closed_by, ended.command) == ("cancelled", "sender", "continue")
    assert cancel(ended.job, LATER, "ann").answer == Stopping("cancelled")


def test_a_job_that_ends_by_itself_before_it_hears_of_it_keeps_its_end():
    asked = cancel(RUNNING, LATER, "ann").job
    ended = merge(asked, update(3, status="completed", bytes_transferred=10), LATER)
    assert (ended.job.status, ended.command) == ("completed", "continue")


def test_a_new_attempt_is_not_the_one_that_was_to_stop():
    asked = cancel(RUNNING, LATER, "ann").job
    merged = merge(asked, update(1, attempt=2), LATER)
    assert (merged.job.cancel_requested_at, merged.command) == (None, "continue")
    late = merge(merged.job, update(9, attempt=1), LATER)
    assert late.command == "superseded"


def test_a_silent_job_is_cancelled_at_once_and_whoever_speaks_again_is_told():
    stalled = replace(RUNNING, status="stalled")
    done = cancel(stalled, LATER, "ann")
    assert done.answer == Stopping("cancelled")
    assert (done.job.status, done.job.closed_by, done.job.completed_at) == ("cancelled", "operator", LATER)
    assert (done.job.eta_seconds, done.job.bytes_transferred) == (0, 5)
    [event] = done.events
    assert (event.kind, event.said_by, event.status) == ("state", "operator", "cancelled")
    assert event.detail == done.job.error_message == "cancelled by ann while nothing was heard of it"
    late = merge(done.job, update(7, bytes_transferred=9), LATER)
    assert (late.job, late.applied, late.command) == (done.job, False, "cancel")


def test_a_job_that_was_asked_and_fell_silent_keeps_when_it_was_asked():
    asked = replace(cancel(RUNNING, EARLY, "ann").job, status="stalled")
    assert cancel(asked, LATER, "ann").job.cancel_requested_at == EARLY


def silent(job, seconds: float):
    """The job as the reaper leaves it when nothing was heard for so long."""
    now = job.last_telemetry_at + timedelta(seconds=seconds)
    verdict = staleness.judge(job, now, EARLY - timedelta(days=1), staleness.Limits())
    return verdict.job, now


def test_a_wish_outlives_silence_and_the_reapers_verdict_until_the_sender_hears_of_it_or_has_ended():
    asked = replace(cancel(RUNNING, LATER, "ann").job, last_telemetry_at=LATER)
    stalled, now = silent(asked, 61)
    assert (stalled.status, stalled.cancel_requested_at) == ("stalled", LATER)
    revived = merge(stalled, update(2), now)
    assert (revived.job.status, revived.command) == ("running", "cancel")
    failed, now = silent(stalled, 301)
    assert (failed.status, failed.closed_by, failed.cancel_requested_at) == ("failed", "reaper", LATER)
    back = merge(failed, update(2), now)
    assert (back.job.status, back.command) == ("running", "cancel")
    ended = merge(failed, update(2, status="completed", bytes_transferred=10), now)
    assert (ended.job.status, ended.command) == ("completed", "continue")


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_what_has_ended_cannot_be_cancelled(status):
    ended = replace(RUNNING, status=status)
    done = cancel(ended, LATER, "ann")
    assert (done.job, done.events, done.answer.status, done.answer.code) == (ended, (), 409, "not_active")
    assert status in done.answer.message


class Slip:
    answer = None

    def settle(self, answer) -> None:
        self.answer = answer


JUDGE = batch.Judge(LATER, EARLY, True, staleness.Limits())


def planned(job, *intents) -> batch.Plan:
    return batch.plan(intents, {} if job is None else {job.id: job}, JUDGE)[intents[0].job_id]


def test_in_a_batch_a_wish_takes_its_turn_between_updates():
    wish = batch.Cancel(RUNNING.id, "ann", LATER, Slip())
    before, after = sent("", 2), sent("", 3)
    plan = planned(RUNNING, before, wish, after)
    told = dict(plan.answers)
    assert told[before.receipt].command == "continue"
    assert told[wish.receipt] == Stopping("cancelling")
    assert told[after.receipt].command == "cancel"
    assert plan.is_change


def test_a_wish_for_a_job_that_nobody_knows_is_answered_so_and_makes_none():
    wish = batch.Cancel("unheard-of", "ann", LATER, Slip())
    plan = planned(None, wish)
    assert plan.answers == [(wish.receipt, batch.UNKNOWN)]
    assert not plan.is_change


def test_a_row_that_cannot_be_stored_refuses_the_wish_too():
    wish = batch.Cancel(RUNNING.id, "ann", LATER, Slip())
    plan = planned(RUNNING, wish, batch.Silence(RUNNING.id))
    refusal = Refusal(400, "unstorable", "no")
    plan.refuse(refusal)
    assert plan.answers == [(wish.receipt, refusal)]


def sent(appliance: str, sequence=2, **fields) -> batch.Post:
    said = update(sequence, **fields)
    return batch.Post(said.job_id, said, LATER, Slip(), appliance)


def test_a_job_belongs_to_the_appliance_that_created_it():
    own, foreign = sent("web", 1), sent("db", 2)
    plan = planned(None, own, foreign)
    assert plan.job.appliance == "web"
    assert plan.job.sequence == 1
    assert dict(plan.answers)[foreign.receipt] == batch.FOREIGN
    assert batch.FOREIGN.status == 403


def test_an_open_hub_asks_nobody_whose_job_it_is_and_leaves_it_to_its_owner():
    owned = replace(RUNNING, appliance="web")
    assert planned(owned, sent("")).job.appliance == "web"
    assert planned(owned, sent("", 1, attempt=2)).job.appliance == "web"


def test_a_job_of_an_open_hub_goes_to_the_first_appliance_that_speaks_of_it():
    assert planned(RUNNING, sent("web")).job.appliance == "web"
    ended = merge(RUNNING, update(2, status="completed"), LATER).job
    plan = planned(ended, sent("web", 1))
    assert not plan.is_change
