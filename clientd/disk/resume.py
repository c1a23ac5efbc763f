"""Resume: makes checkpoints, and tells whether one still holds. Blocking calls, made from threads."""

from array import array
from collections.abc import Sequence
from contextlib import closing
from itertools import chain

from clientd.core import plan
from clientd.core.checkpoint import Checkpoint, Witness
from clientd.core.extents import Extent
from clientd.core.order import DiskOrder, Mode
from clientd.core.plan import Plan
from clientd.disk.digest import digest
from clientd.disk.protocol import Disk
from clientd.disk.several import Several


def key(source: Disk, work_plan: Plan, asked: DiskOrder, mode: Mode) -> str:
    """What the source's content and the part to be copied are known by; '' where it cannot be told from others.

    The part is known by the changed ranges themselves: a file or a bitmap of the same name may hold others later.
    """
    version = asked.change_id or source.version
    return "" if version is None else f"{source.identity} {version} {mode} {_part(work_plan.changed)}"


def start(source: str, target: Disk, size: int) -> Checkpoint:
    """That of a copy of which nothing is done."""
    return Checkpoint(source, target.identity, size, mark=0)


def make(source: str, target: Disk, work_plan: Plan, mark: int) -> Checkpoint:
    """Everything before `mark` is done. Flushes the target first. Raises DiskError."""
    target.flush()
    witnesses = _witnesses(target, plan.places(work_plan, mark))
    return Checkpoint(source, target.identity, work_plan.size, mark, witnesses)


def refusal(left: Checkpoint, source: str, size: int) -> str | None:
    """Why the source cannot be gone on with from this checkpoint; None where it can."""
    if not left.mark:
        return "a verification found that the copy differed"
    if not source:
        return "whether the source has changed cannot be told: give its change_id"
    if (left.source, left.size) != (source, size):
        return "the source, or what is to be copied of it, is another one or has changed since"
    return None


def holds(checkpoint: Checkpoint, target: Disk) -> bool:
    """The target is the one that the checkpoint was made with, and has kept it. Raises DiskError."""
    if checkpoint.target != target.identity:
        return False
    places = [Extent(each.offset, each.length) for each in checkpoint.witnesses]
    return _witnesses(target, places) == checkpoint.witnesses


def _part(changed: Sequence[Extent] | None) -> str:
    if changed is None:
        return "all"
    numbers = array("Q", chain.from_iterable((each.offset, each.length) for each in changed))
    return digest(memoryview(numbers.tobytes())).hex()


def _witnesses(target: Disk, places: Sequence[Extent]) -> tuple[Witness, ...]:
    """What the target holds there. All of it is asked for at once: there is little, and a server may be far."""
    views = [memoryview(bytearray(place.length)) for place in places]
    with closing(target.lane()) as lane:
        asked = [lane.read(place.offset, view) for place, view in zip(places, views, strict=True)]
        Several(asked).wait()
    found = zip(places, views, strict=True)
    return tuple(Witness(place.offset, place.length, digest(view)) for place, view in found)
