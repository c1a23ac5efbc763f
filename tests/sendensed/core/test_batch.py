"""Batch and board: folding updates into rows, and committed rows into what viewers see."""

import json
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from schemas.telemetry import Telemetry
from sendensed.core import batch, board, staleness
from sendensed.core.alarm import Alarm
from sendensed.core.answer import Answer, Refusal
from sendensed.core.model import Job
from sendensed.core.view import Filter, alarm_view, event_view

NIGHT = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)
JUDGE = batch.Judge(NIGHT + timedelta(seconds=100), NIGHT, True, staleness.Limits())


class Slip:
    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def settle(self, answer: Answer) -> None:
        self.answers.append(answer)


def post(job_id: str, sequence: int, **fields: object) -> batch.Post:
    update = Telemetry(
        **{"job_type": "backup", "job_id": job_id, "status": "running", "sequence": sequence, **fields}
    )
    return batch.Post(update.job_id, update, NIGHT, Slip())


def stored(job_id: str, **fields: object) -> Job:
    known = {
        "job_type": "backup",
        "created_at": NIGHT,
        "last_telemetry_at": NIGHT,
        "status": "running",
        "revision": 1,
    }
    return Job(id=job_id, **{**known, **fields})


def test_many_updates_of_a_job_become_one_row_and_as_many_answers():
    intents = [post("a", 1), post("b", 1), post("a", 2, status="completed"), post("a", 2)]
    plans = batch.plan(intents, {}, JUDGE)
    assert list(plans) == ["a", "b"]
    assert (plans["a"].job.status, plans["a"].job.sequence, plans["a"].before) == ("completed", 2, None)
    assert (plans["a"].job.revision, plans["a"].stored.revision) == (0, 1)
    assert [answer.applied for _, answer in plans["a"].answers] == [True, True, False]
    assert [slip for slip, _ in plans["a"].answers] == [intents[0].receipt, intents[2].receipt, intents[3].receipt]
    assert [event.status for event in plans["a"].events] == ["running", "completed"]


def test_an_update_that_its_job_refuses_hurts_none_of_its_batch_mates():
    plans = batch.plan([post("a", 1), post("a", 2, job_type="restore"), post("a", 3)], {}, JUDGE)
    kinds = [type(answer) for _, answer in plans["a"].answers]
    assert kinds[1] is Refusal
    assert plans["a"].answers[1][1].status == 400
    assert plans["a"].job.sequence == 3


def test_what_changes_nothing_is_not_written():
    ended = stored("a", status="completed", closed_by="sender", sequence=9)
    plan = batch.plan([post("a", 10)], {"a": ended}, JUDGE)["a"]
    assert not plan.is_change
    assert not plan.answers[0][1].applied


def test_silence_is_judged_on_the_newest_row_after_the_telemetry_before_it():
    silent = stored("a", sequence=1)
    assert batch.plan([batch.Silence("a")], {"a": silent}, JUDGE)["a"].job.status == "stalled"
    heard = replace(post("a", 2), at=JUDGE.now)
    plan = batch.plan([heard, batch.Silence("a")], {"a": silent}, JUDGE)["a"]
    assert plan.job.status == "running"
    assert batch.plan([batch.Silence("gone")], {}, JUDGE)["gone"].stored is None


def test_every_row_of_the_history_is_counted_in_its_job_across_attempts_and_what_is_undone_at_once():
    known = stored(
        "a", sequence=1, event_count=7, started_at=NIGHT, last_telemetry_at=NIGHT - timedelta(seconds=90)
    )
    [plan] = batch.plan([batch.Silence("a"), post("a", 2), post("a", 3)], {"a": known}, JUDGE).values()
    assert ([event.status for event in plan.events], plan.job.event_count) == (["stalled", "running"], 9)
    wish = batch.Cancel("a", "ann", NIGHT, Slip())
    again = [post("a", 4, attempt=2), post("a", 5, attempt=2), wish]
    [plan] = batch.plan(again, {"a": plan.stored}, JUDGE).values()
    assert plan.job.event_count == 9 + len(plan.events) == 12
    [plan] = batch.plan([post("a", 6, attempt=2)], {"a": plan.stored}, JUDGE).values()
    assert plan.job.event_count == 12


def test_a_hub_that_does_not_hear_gives_no_verdict():
    deaf = replace(JUDGE, is_hearing=False)
    assert not batch.plan([batch.Silence("a")], {"a": stored("a")}, deaf)["a"].is_change


def test_a_refused_row_takes_all_its_updates_back():
    plan = batch.plan([post("a", 1), batch.Silence("a"), post("a", 2)], {}, JUDGE)["a"]
    plan.refuse(Refusal(400, "unstorable", "no"))
    assert not plan.is_change
    assert plan.events == []
    assert [answer.code for _, answer in plan.answers] == ["unstorable", "unstorable"]


def test_a_board_publishes_each_revision_once_and_never_goes_back():
    watched = board.Board(1_000)
    first = stored("a")
    assert watched.publish([first])["a"].was == "running"
    assert watched.publish([first]) == {}
    newer = replace(first, revision=3, status="completed")
    entry = watched.publish([newer])["a"]
    assert (entry.was, watched.sequence) == ("running", 1_000)
    assert watched.publish([replace(first, revision=2)]) == {}
    shown = json.loads(bytes(entry.encoded))
    assert (shown["id"], shown["status"], shown["revision"]) == ("a", "completed", 3)


def test_a_job_is_encoded_once_for_all_viewers():
    [entry] = board.Board(0).publish([stored("a")]).values()
    assert json.loads(entry.encoded)["id"] == "a"
    assert entry.encoded is entry.encoded


def test_a_filter_asks_for_ids_states_and_types():
    watched = board.Board(0)
    watched.publish([stored("a"), stored("b", status="failed"), stored("c", job_type="restore")])

    def seen(**wanted: frozenset[str]) -> set[str]:
        return {entry.job.id for entry in watched.snapshot(Filter(**wanted))}

    assert seen() == {"a", "b", "c"}
    assert seen(ids=frozenset({"a", "x"})) == {"a"}
    assert seen(statuses=frozenset({"running"})) == {"a", "c"}
    assert seen(job_types=frozenset({"restore"}), statuses=frozenset({"failed"})) == set()


def test_a_viewer_that_comes_back_gets_what_changed_even_if_it_left_the_states_asked_for():
    watched = board.Board(100)
    watched.publish([stored("a"), stored("b")])
    watched.settle(102, [("a", 1, 100), ("b", 1, 101)])
    assert watched.since(102, Filter()) == []
    watched.publish([stored("a", revision=2, status="completed")])
    missed = watched.since(102, Filter(statuses=frozenset({"running"})))
    assert [entry.job.status for entry in missed] == ["completed"]


def test_a_job_whose_position_is_not_known_yet_is_news_to_everybody_who_comes_back():
    watched = board.Board(100)
    watched.publish([stored("a")])
    assert [entry.job.id for entry in watched.since(10_000, Filter())] == ["a"]
    watched.settle(110, [("a", 1, 105)])
    assert watched.sequence == 110
    assert watched.since(106, Filter()) == []
    assert len(watched.since(105, Filter())) == 1


def test_the_position_of_an_older_revision_says_nothing_of_a_newer_one():
    watched = board.Board(100)
    watched.publish([stored("a", revision=2)])
    watched.settle(110, [("a", 1, 105), ("unheard-of", 1, 106)])
    assert len(watched.since(110, Filter())) == 1


def test_a_position_never_goes_back():
    watched = board.Board(100)
    watched.settle(90, [])
    assert watched.sequence == 100


def test_a_board_knows_what_it_lacks_of_what_others_committed():
    watched = board.Board(100)
    watched.publish([stored("a", revision=2), stored("b", revision=2)])
    assert watched.behind([("a", 2), ("b", 3), ("c", 1), ("a", 1)]) == ["b", "c"]


def test_a_viewer_that_comes_back_is_not_told_of_jobs_it_did_not_ask_for():
    watched = board.Board(100)
    watched.publish([stored("a"), stored("b", job_type="restore")])
    assert [entry.job.id for entry in watched.since(100, Filter(ids=frozenset({"b"})))] == ["b"]


def test_a_job_that_left_the_board_can_be_shown_beside_it():
    watched = board.Board(100)
    watched.publish([stored("a")])
    wanted = Filter(ids=frozenset({"a", "old", "other"}))
    assert watched.absent(["a", "old"]) == ["old"]
    found = [stored("a", status="pending"), stored("old", status="completed"), stored("unasked")]
    assert [(entry.job.id, entry.was) for entry in watched.aside(found, wanted)] == [("old", "completed")]
    running = Filter(statuses=frozenset({"running"}))
    assert watched.aside([stored("old", status="completed")], running) == []
    assert len(watched.aside([stored("old", status="completed")], running, running.statuses)) == 1
    assert watched.absent(["old"]) == ["old"]


def test_finished_jobs_are_kept_up_to_a_bound_and_who_asks_from_before_is_told_by_the_store():
    watched = board.Board(0)
    watched.publish([stored("running")])
    for number in range(board.FINISHED_KEPT + 2):
        watched.publish([stored(f"job-{number}", status="completed")], changed=number)
    kept = {entry.job.id for entry in watched.snapshot(Filter())}
    assert len(kept) == board.FINISHED_KEPT + 1
    assert "running" in kept
    assert not {"job-0", "job-1"} & kept
    assert watched.oldest == 2
    assert not watched.reaches(1)
    assert watched.reaches(2)


def test_a_finished_job_leaves_the_board_only_when_its_position_is_known():
    watched = board.Board(0)
    names = [f"job-{number}" for number in range(board.FINISHED_KEPT + 2)]
    watched.publish([stored(name, status="completed") for name in names])
    assert len(watched.snapshot(Filter())) == board.FINISHED_KEPT + 2
    watched.settle(50, [(name, 1, 40) for name in names])
    assert len(watched.snapshot(Filter())) == board.FINISHED_KEPT
    assert watched.reaches(41)
    assert not watched.reaches(40)


def test_a_revived_job_is_no_longer_among_the_finished():
    watched = board.Board(0)
    watched.publish([stored("a", status="failed", closed_by="reaper")])
    watched.publish([stored("a", revision=2)])
    for number in range(board.FINISHED_KEPT + 1):
        watched.publish([stored(f"job-{number}", status="completed")], changed=number)
    assert "a" in {entry.job.id for entry in watched.snapshot(Filter())}


def test_history_rows_go_out_with_all_they_hold():
    [event] = batch.plan([post("a", 4, bytes_transferred=5)], {}, JUDGE)["a"].events
    seen = event_view(event)
    assert (seen.kind, seen.said_by, seen.status, seen.sequence, seen.bytes_transferred) == (
        "state",
        "sender",
        "running",
        4,
        5,
    )


def test_an_alarm_goes_out_as_it_is():
    shown = alarm_view(Alarm("mass_silence", NIGHT, "hub-1", "3 of 4 jobs"))
    assert (shown.kind, shown.since, shown.raised_by, shown.detail) == (
        "mass_silence",
        NIGHT,
        "hub-1",
        "3 of 4 jobs",
    )
