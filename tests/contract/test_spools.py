"""Spools: what is in them outlives the process, belongs to one process at a time, and is bounded."""

import pytest
from msgspec.structs import replace

from clientd.core.outbox import Refused
from clientd.core.spool import INTERRUPTED, Holding, Limits
from clientd.state.memory import MemorySpool, Shelf
from clientd.state.spool import SqliteSpool
from tests.fakes.spools import LIMITS, TurnedClock, lot, update


class Processes:
    """Processes that share one state directory."""

    def __init__(self, kind, folder):
        self.environment = TurnedClock()
        self._kind = kind
        self._folder = folder
        self._shelf = Shelf()
        self._started = []

    def start(self, limits: Limits = LIMITS):
        self._started.append(
            SqliteSpool(self._folder, self.environment, limits=limits, sender="clientd/test")
            if self._kind == "sqlite"
            else MemorySpool(self.environment, limits=limits, sender="clientd/test", shelf=self._shelf)
        )
        return self._started[-1]

    def kill(self, spool):
        spool.close()

    def end(self):
        for spool in self._started:
            spool.close()


@pytest.fixture(params=["memory", "sqlite"])
def processes(request, tmp_path):
    started = Processes(request.param, tmp_path / "state")
    yield started
    started.end()


def sequences(lots):
    return [(each.job_id, each.attempt, [update.sequence for update in each.waiting]) for each in lots]


def test_attempts_count_from_one_for_each_job_and_one_that_is_given_counts_too(processes):
    first, second = processes.start(), processes.start()
    assert first.begin("a", "backup", None).attempt == 1
    assert second.begin("a", "backup", None).attempt == 2
    assert first.begin("b", "backup", None).attempt == 1
    assert first.begin("a", "backup", 7).attempt == 7
    assert second.begin("a", "backup", None).attempt == 8
    assert first.begin("a", "backup", 3).attempt == 3
    assert first.begin("a", "backup", None).attempt == 9


def test_what_waits_is_found_after_the_process_was_killed_in_order_and_as_it_was(processes):
    spool = processes.start()
    spool.begin("a ü/%", "backup", None)
    told = [update(processes.environment, number, job_id="a ü/%") for number in (1, 3)]
    end = update(processes.environment, 9, job_id="a ü/%", status="failed", error="no space")
    spool.save([lot("a ü/%", 1, *told)])
    spool.save([lot("a ü/%", 1, *told, end)])
    processes.kill(spool)
    heir = processes.start()
    [found] = heir.claim(9)
    assert found.waiting == (*told, end)
    assert (found.ended, found.held, found.job_type) == (True, True, "backup")


def test_a_save_says_what_is_there_and_not_what_has_changed(processes):
    spool = processes.start()
    spool.begin("a", "backup", None)
    events = [update(processes.environment, number) for number in range(1, 4)]
    spool.save([lot("a", 1, *events)])
    spool.save([lot("a", 1, *events[1:])])
    spool.save([lot("a", 1, *events[1:])])
    assert spool.holding().waiting == 2
    spool.save([lot("a", 1)])
    assert spool.holding() == Holding()


def test_what_a_living_process_holds_is_nobody_else_s(processes):
    first, second = processes.start(), processes.start()
    first.begin("a", "backup", None)
    first.save([lot("a", 1, update(processes.environment, 1))])
    assert second.claim(9) == []
    assert second.begin("a", "backup", None).left == ()
    assert first.claim(9) == []


def test_what_is_let_go_of_is_one_other_s(processes):
    first, second, third = processes.start(), processes.start(), processes.start()
    first.begin("a", "backup", None)
    end = update(processes.environment, 5, status="completed")
    first.save([lot("a", 1, end, held=False)])
    [found] = second.claim(9)
    assert found.waiting == (end,)
    assert third.claim(9) == []
    assert first.claim(9) == []


def test_a_lot_that_another_has_taken_over_is_not_written_any_more(processes):
    first, second = processes.start(), processes.start()
    first.begin("a", "backup", None)
    end = update(processes.environment, 5, status="completed")
    first.save([lot("a", 1, end, held=False)])
    second.claim(9)
    first.save([lot("a", 1)])
    assert second.holding().waiting == 1


def test_a_save_without_a_begin_is_kept_as_well(processes):
    spool = processes.start()
    spool.save([lot("a", 29_000_000, update(processes.environment, 1, attempt=29_000_000))])
    assert spool.holding().waiting == 1
    assert spool.begin("a", "backup", None).attempt == 29_000_001


def test_the_end_of_a_killed_process_is_told_by_its_heir_once(processes):
    spool = processes.start()
    spool.begin("a", "restore", None)
    start = update(processes.environment, 1)
    spool.save([replace(lot("a", 1, start), job_type="restore")])
    processes.kill(spool)
    heir, other = processes.start(), processes.start()
    [found] = heir.claim(9)
    assert found.waiting[0] == start
    end = found.waiting[1]
    assert (end.body.status, end.body.error, end.body.attempt) == ("failed", INTERRUPTED, 1)
    assert (end.body.job_id, end.body.job_type, end.body.sender) == ("a", "restore", "clientd/test")
    assert end.sequence > 10**12
    assert other.claim(9) == []
    processes.kill(heir)
    assert sequences(other.claim(9)) == [("a", 1, [1, end.sequence])]


def test_a_job_that_is_to_be_resumed_gets_no_end(processes):
    spool = processes.start()
    spool.begin("a", "backup", None)
    spool.save([lot("a", 1, update(processes.environment, 1))])
    spool.begin("b", "backup", None)
    processes.kill(spool)
    heir = processes.start()
    assert sequences(heir.claim(9, {"a", "b"})) == [("a", 1, [1])]


def test_a_new_attempt_takes_what_the_killed_ones_left_and_makes_up_for_their_ends(processes):
    first = processes.start()
    first.begin("a", "backup", None)
    first.save([lot("a", 1, update(processes.environment, 1))])
    processes.kill(first)
    second = processes.start()
    begun = second.begin("a", "backup", None)
    assert begun.attempt == 2
    assert sequences(begun.left) == [("a", 1, [1])]
    assert begun.left[0].ended
    assert processes.start().claim(9) == []


def test_an_attempt_that_a_later_one_followed_gets_no_end(processes):
    first, second = processes.start(), processes.start()
    first.begin("a", "backup", None)
    second.begin("a", "backup", None)
    processes.kill(first)
    assert processes.start().claim(9) == []
    first = processes.start()
    first.begin("b", "backup", None)
    first.save([lot("b", 1, update(processes.environment, 1, job_id="b"))])
    second.begin("b", "backup", None)
    processes.kill(first)
    assert sequences(processes.start().claim(9)) == [("b", 1, [1])]


def test_an_attempt_given_again_begins_anew(processes):
    spool = processes.start()
    spool.begin("a", "backup", 4)
    spool.save([lot("a", 4, update(processes.environment, 1, attempt=4))])
    processes.kill(spool)
    again = processes.start()
    assert again.begin("a", "backup", 4).left == ()
    assert again.holding().waiting == 0


def test_the_oldest_attempts_are_claimed_first_and_no_more_than_asked_for(processes):
    spool = processes.start()
    for name in "cab":
        spool.begin(name, "backup", None)
        processes.environment.pass_(1)
        spool.save([lot(name, 1, update(processes.environment, 1, job_id=name, status="failed"), held=False)])
    heir = processes.start()
    assert [found.job_id for found in heir.claim(2)] == ["c", "a"]
    assert [found.job_id for found in heir.claim(2)] == ["b"]


def test_what_was_set_aside_stays_so_is_counted_and_never_comes_back(processes):
    spool = processes.start()
    spool.begin("a", "backup", None)
    event = update(processes.environment, 1)
    spool.save([lot("a", 1, event)])
    spool.save([lot("a", 1, aside=(Refused(event, "400: no"),))])
    spool.save([lot("a", 1, event, ended=True, held=False)])
    held = spool.holding()
    assert (held.waiting, held.jobs, held.aside) == (0, 0, 1)
    assert held.bytes > 50
    assert processes.start().claim(9) == []


def test_what_is_there_is_counted(processes):
    spool = processes.start()
    assert spool.holding() == Holding()
    for name in "ab":
        spool.begin(name, "backup", None)
        spool.save([lot(name, 1, *(update(processes.environment, number, job_id=name) for number in (1, 2)))])
    held = processes.start().holding()
    assert (held.waiting, held.jobs, held.aside) == (4, 2, 0)


@pytest.mark.parametrize("limits", [replace(LIMITS, events=4), replace(LIMITS, bytes=380)])
def test_a_full_spool_gives_up_what_is_worth_least(processes, limits):
    spool = processes.start(limits)
    environment = processes.environment
    dropped = 0
    for name in "abc":
        spool.begin(name, "backup", None)
        environment.pass_(1)
        start = update(environment, 1, job_id=name)
        refused = update(environment, 2, job_id=name)
        end = update(environment, 3, job_id=name, status="failed")
        dropped += spool.save([lot(name, 1, start, end, aside=(Refused(refused, "400"),), held=False)])
    kept = sequences(processes.start(limits).claim(9))
    assert dropped == 5
    assert kept == [("a", 1, [3]), ("b", 1, [3]), ("c", 1, [1, 3])]
    assert spool.holding().aside == 0


def test_a_spool_full_of_ends_keeps_the_newest(processes):
    spool = processes.start(replace(LIMITS, events=2))
    for name in "abc":
        processes.environment.pass_(1)
        spool.begin(name, "backup", None)
        end = update(processes.environment, 1, job_id=name, status="completed")
        spool.save([lot(name, 1, end, held=False)])
    assert [found.job_id for found in processes.start().claim(9)] == ["b", "c"]


def test_the_attempts_of_the_oldest_jobs_are_forgotten(processes):
    spool = processes.start(replace(LIMITS, jobs=2))
    for name in "abcd":
        processes.environment.pass_(1)
        spool.begin(name, "backup", None)
        spool.save([lot(name, 1, ended=True, held=False)])
    assert [spool.begin(name, "backup", None).attempt for name in "cda"] == [2, 2, 1]


def test_a_spool_goes_on_after_it_was_closed(processes):
    spool = processes.start()
    spool.begin("a", "backup", None)
    spool.save([lot("a", 1, update(processes.environment, 1, status="failed"))])
    processes.kill(spool)
    processes.kill(spool)
    assert len(processes.start().claim(9)) == 1
