"""Queue: which jobs are taken, which begins next, and what becomes of each after a stop or a crash."""

import pytest
from msgspec.structs import replace

from clientd.core import queue
from clientd.core.queue import Entry, Limits, MemoryStore, Queue, Refused
from tests.fakes import orders

LIMITS = Limits(at_once=2, waiting=3, remembered=2, crashes=2)


def order(job_id: str, source: str = "", target: str = ""):
    disk = orders.disk(source=source or f"/s-{job_id}", target=target or f"/t-{job_id}")
    return orders.order(job_id=job_id, disks=(disk,))


def filled(*asked: object) -> Queue:
    """The orders, or jobs of these ids, submitted one after another."""
    whole = Queue()
    for each in asked:
        taken = order(each) if isinstance(each, str) else each
        whole = whole.put(whole.submit(taken, "", replace(LIMITS, waiting=99)))
    return whole


def begun(whole: Queue, number: int) -> Queue:
    return whole.put(whole.entries[number].begun(1))


def test_jobs_begin_in_the_order_of_their_submission_up_to_the_limit():
    whole = filled("a", "b", "c")
    for number in (1, 2):
        assert whole.next(LIMITS).number == number
        whole = begun(whole, number)
    assert whole.next(LIMITS) is None
    whole = whole.put(whole.entries[1].finished("completed", "", "t"))
    assert whole.next(LIMITS).number == 3
    assert (whole.count("running"), whole.count("queued"), whole.count("completed")) == (1, 1, 1)


def test_a_job_that_waits_or_runs_is_refused_by_name():
    whole = begun(filled("a", "b"), 1)
    with pytest.raises(Refused, match="the job 'a' is running already: wait for its end, or cancel it") as refused:
        whole.submit(order("a"), "", LIMITS)
    assert refused.value.code == "duplicate"
    with pytest.raises(Refused, match="the job 'b' is in the queue already"):
        whole.submit(order("b"), "", LIMITS)


def test_a_job_that_has_ended_may_come_again():
    whole = filled("a")
    whole = whole.put(whole.entries[1].finished("failed", "x", "t"))
    assert whole.submit(order("a"), "", LIMITS).number == 2


def test_a_full_queue_refuses_and_running_jobs_do_not_count():
    whole = begun(filled("a", "b", "c", "d"), 1)
    with pytest.raises(Refused, match="3 jobs wait already: submit it again when some have begun") as refused:
        whole.submit(order("e"), "", LIMITS)
    assert refused.value.code == "full"
    assert begun(whole, 2).submit(order("e"), "", LIMITS).number == 5


def test_a_number_is_never_given_twice():
    whole = filled("a", "b")
    whole = whole.without(whole.entries[2])
    assert whole.submit(order("c"), "", LIMITS).number == 3


@pytest.mark.parametrize(
    ("source", "target", "waits"),
    [
        ("/x", "/t-a", True),
        ("/t-a", "/y", True),
        ("/x", "/s-a", True),
        ("/x", "//var/..//./t-a", True),
        ("/s-a", "/y", False),
        ("/x", "/y", False),
    ],
)
def test_a_job_waits_for_one_that_uses_its_disks_and_others_pass_it(source, target, waits):
    whole = begun(filled("a", order("b", source, target), "c"), 1)
    assert whole.next(LIMITS).job_id == ("c" if waits else "b")


def test_what_is_unwanted_never_begins_and_waits_for_its_end():
    whole = filled("a", "b")
    whole = whole.put(whole.entries[1].to_end("cancelled", "first").to_end("failed", "second"))
    assert whole.next(LIMITS).job_id == "b"
    (entry,) = whole.dismissed()
    assert (entry.job_id, entry.wish, entry.unwanted) == ("a", "cancelled", "first")


def test_the_jobs_that_ended_first_are_forgotten_first():
    whole = filled("a", "b", "c", "d")
    for number, when in ((1, "3"), (2, "1"), (3, "2")):
        whole = whole.put(whole.entries[number].finished("completed", "", when))
    assert [entry.job_id for entry in whole.forgotten(LIMITS)] == ["b"]
    assert whole.forgotten(replace(LIMITS, remembered=5)) == []


def test_entries_are_found_by_job_and_by_origin():
    whole = filled("a")
    whole = whole.put(whole.submit(order("b"), "file", LIMITS))
    assert whole.active("b").origin == "file"
    assert whole.active("c") is None
    assert whole.of_origin("file").job_id == "b"
    assert whole.of_origin("other") is None


def test_a_stop_is_no_crash():
    entry = Entry(number=1, order=order("a")).begun(4)
    assert entry.crashed().crashed().crashes == 2
    stopped = entry.crashed().begun(5).stopped()
    assert (stopped.state, stopped.attempt, stopped.crashes) == ("queued", 5, 0)


def test_a_crash_is_gone_on_from_until_there_were_too_many_in_a_row():
    entry = Entry(number=1, order=order("a"))
    for attempt in (1, 2):
        entry = queue.resumed(entry.begun(attempt), LIMITS, resume=True)
        assert (entry.state, entry.unwanted) == ("queued", "")
    entry = queue.resumed(entry.begun(3), LIMITS, resume=True)
    assert (entry.state, entry.wish) == ("queued", "failed")
    assert entry.unwanted == "interrupted: clientd ended while it ran, 3 times in a row"


def test_a_crash_is_the_end_where_the_settings_say_so():
    entry = queue.resumed(Entry(number=1, order=order("a")).begun(1), LIMITS, resume=False)
    assert entry.wish == "failed"
    assert entry.unwanted.startswith("interrupted: clientd ended while it ran, and such jobs are not gone on with")


def test_a_crash_does_not_forget_that_somebody_cancelled_the_job():
    running = Entry(number=1, order=order("a")).begun(1).to_end("cancelled", "by hand")
    for resume in (True, False):
        entry = queue.resumed(running, LIMITS, resume=resume)
        assert (entry.state, entry.wish, entry.unwanted) == ("queued", "cancelled", "by hand")


def test_an_end_has_its_counters_and_its_time():
    entry = Entry(number=1, order=order("a")).numbered(3).finished("failed", "why", "t", 5, 10)
    assert (entry.attempt, entry.state, entry.error, entry.ended, entry.over) == (3, "failed", "why", "t", True)
    assert (entry.bytes_transferred, entry.total_bytes) == (5, 10)


def test_the_store_in_memory_keeps_what_it_is_given():
    store = MemoryStore()
    entry = Entry(number=1, order=order("a"))
    store.save(entry)
    assert store.load() == [entry]
    store.forget(1)
    store.forget(1)
    assert store.load() == []
