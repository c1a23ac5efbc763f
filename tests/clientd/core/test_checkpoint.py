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
