"""Checkpoint: kept by disk, the newest one, until the job is complete."""

from clientd.core.checkpoint import Checkpoint, MemoryCheckpoints


def test_the_newest_checkpoint_of_each_disk_is_kept_until_all_are_cleared():
    first, second = (Checkpoint("s", "t", 100, mark) for mark in (10, 20))
    checkpoints = MemoryCheckpoints({1: first})
    assert checkpoints.load(0) is None
    checkpoints.save(0, first)
    checkpoints.save(0, second)
    assert (checkpoints.load(0), checkpoints.load(1)) == (second, first)
    checkpoints.clear()
    assert checkpoints.load(0) is checkpoints.load(1) is None


def test_a_revoked_checkpoint_is_gone_or_another_stands_in_its_place():
    first, instead = Checkpoint("s", "t", 100, 10), Checkpoint("s", "t", 100, 0)
    checkpoints = MemoryCheckpoints({0: first, 1: first, 2: first})
    checkpoints.revoke(0)
    checkpoints.revoke(1, instead)
    checkpoints.revoke(3)
    assert [checkpoints.load(index) for index in range(3)] == [None, instead, first]
