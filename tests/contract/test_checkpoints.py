"""Checkpoints: one contract for those in memory and those on the disk; what is durable is so after a kill too."""

import threading

import pytest

from clientd.core.checkpoint import Checkpoint, MemoryCheckpoints, Witness
from clientd.state.checkpoints import SqliteCheckpoints
from tests.fakes.spools import TurnedClock


def checkpoint(mark: int, **more) -> Checkpoint:
    fields = {"source": "s/1", "target": "t", "size": 2**40, "witnesses": (Witness(0, 4096, bytes(range(16))),)}
    return Checkpoint(**{**fields, "mark": mark, **more})


@pytest.fixture
def environment():
    return TurnedClock()


@pytest.fixture(params=["memory", "sqlite"])
def open_checkpoints(request, tmp_path, environment):
    """Opens those of a job, as often as wanted."""
    kept: dict[str, MemoryCheckpoints] = {}
    opened = []

    def make(job_id: str = "a"):
        if request.param == "memory":
            return kept.setdefault(job_id, MemoryCheckpoints())
        opened.append(SqliteCheckpoints(tmp_path / "state", job_id, environment))
        return opened[-1]

    yield make
    for each in opened:
        each.__exit__(None, None, None)


def test_there_is_none_before_one_is_saved(open_checkpoints):
    assert open_checkpoints().load(0) is None


def test_the_last_one_of_each_disk_is_found_as_it_was(open_checkpoints):
    checkpoints = open_checkpoints()
    checkpoints.save(0, checkpoint(10))
    checkpoints.save(0, checkpoint(20))
    checkpoints.save(3, checkpoint(5, witnesses=()))
    again = open_checkpoints()
    assert (again.load(0), again.load(3), again.load(1)) == (checkpoint(20), checkpoint(5, witnesses=()), None)


def test_clearing_is_for_all_disks_of_one_job(open_checkpoints):
    first, second = open_checkpoints("a"), open_checkpoints("b/ü%")
    for each in (first, second):
        each.save(0, checkpoint(1))
        each.save(1, checkpoint(2))
    first.clear()
    assert (first.load(0), first.load(1)) == (None, None)
    assert (second.load(0), second.load(1)) == (checkpoint(1), checkpoint(2))


def test_threads_may_save_at_once(open_checkpoints):
    checkpoints = open_checkpoints()
    threads = [
        threading.Thread(
            target=lambda index=index: [checkpoints.save(index, checkpoint(mark)) for mark in range(20)]
        )
        for index in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [checkpoints.load(index) for index in range(4)] == [checkpoint(19)] * 4


def test_a_revoked_one_is_gone_or_another_stands_in_its_place_and_the_others_stay(open_checkpoints):
    checkpoints = open_checkpoints()
    for index in range(3):
        checkpoints.save(index, checkpoint(10))
    checkpoints.revoke(0)
    checkpoints.revoke(1, checkpoint(0))
    checkpoints.revoke(5)
    again = open_checkpoints()
    assert [again.load(index) for index in range(3)] == [None, checkpoint(0), checkpoint(10)]
