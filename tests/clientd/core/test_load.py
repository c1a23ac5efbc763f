"""Load: the largest share of the workers' time is the bottleneck, and only bytes and phases are movement."""

from clientd.core import progress
from clientd.core.cadence import Picture
from clientd.core.load import Load, Movement
from clientd.core.progress import Busy, Count

PICTURE = Picture(0.0, "transferring", "running", None, ("running",))


def counts(*busy: Busy) -> list[Count]:
    return [Count(busy=each) for each in busy]


def test_the_bottleneck_is_what_took_most_of_the_time():
    assert Busy(1.0, 2.0, 0.5).bottleneck == "write"
    assert Busy(5.0, 2.0, 0.5).since(Busy(4.5, 2.0, 0.0)).bottleneck == "read"
    assert Busy(1.0, 1.0, 3.0).since(Busy(1.0, 1.0, 1.0)).bottleneck == "network"
    assert Busy(1.0, 1.0, 1.0).since(Busy(1.0, 1.0, 1.0)).bottleneck is None


def test_a_job_s_time_is_that_of_all_its_disks():
    assert progress.busy(counts(Busy(1.0, 2.0, 3.0), Busy(1.0, 1.0, 1.0))) == Busy(2.0, 3.0, 4.0)


def test_the_bottleneck_is_that_of_the_window_and_of_each_disk():
    load = Load(10.0)
    assert load.bottlenecks == ()
    for second in range(31):
        early, late = min(second, 15) * 1.0, max(second - 15, 0) * 1.0
        load = load.add(float(second), counts(Busy(early, late, 0.0), Busy()))
        if second == 10:
            assert load.bottlenecks == ("read", None)
    assert load.bottlenecks == ("write", None)
    assert len(load.samples) <= 12


def test_bytes_and_phases_are_movement_and_being_busy_is_not():
    movement = Movement(0.0).look(1.0, PICTURE, [Count()])
    assert movement.at == 1.0
    assert movement.look(2.0, PICTURE, counts(Busy(5.0, 5.0, 5.0))) is movement
    assert movement.look(2.0, PICTURE, [Count(examined=1)]).at == 2.0
    assert movement.look(2.0, PICTURE, [Count(verified=1)]).at == 2.0
    assert movement.look(3.0, Picture(0.0, "finalizing", "running", None, ("running",)), [Count()]).at == 3.0
