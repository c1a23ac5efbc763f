"""Resume: makes checkpoints, and tells whether one still holds. Blocking calls, made from threads."""

from contextlib import closing

from clientd.core import plan
from clientd.core.checkpoint import Checkpoint, Witness
from clientd.core.extents import Extent
from clientd.core.order import DiskOrder, Mode
from clientd.core.plan import Plan
from clientd.disk.digest import digest
from clientd.disk.protocol import Disk, Lane


def key(source: Disk, asked: DiskOrder, mode: Mode) -> str:
    """What the source's content and the part to be copied are known by; '' where it cannot be told from others."""
    version = asked.change_id or source.version
    return "" if version is None else f"{source.identity} {version} {mode} {asked.changes}"


def start(source: str, target: Disk, size: int) -> Checkpoint:
    """That of a copy of which nothing is done."""
    return Checkpoint(source, target.identity, size, mark=0)


def make(source: str, target: Disk, work_plan: Plan, mark: int) -> Checkpoint:
    """Everything before `mark` is done. Flushes the target first. Raises DiskError."""
    target.flush()
    with closing(target.lane()) as lane:
        witnesses = tuple(_witness(lane, place) for place in plan.places(work_plan, mark))
    return Checkpoint(source, target.identity, work_plan.size, mark, witnesses)


def refusal(left: Checkpoint, source: str, size: int) -> str | None:
    """Why the source cannot be gone on with from this checkpoint; None where it can."""
    if not source:
        return "whether the source has changed cannot be told: give its change_id"
    if (left.source, left.size) != (source, size):
        return "the source is another one, or has changed since"
    return None


def holds(checkpoint: Checkpoint, target: Disk) -> bool:
    """The target is the one that the checkpoint was made with, and has kept it. Raises DiskError."""
    if checkpoint.target != target.identity:
        return False
    with closing(target.lane()) as lane:
        return all(_witness(lane, Extent(each.offset, each.length)) == each for each in checkpoint.witnesses)


def _witness(lane: Lane, place: Extent) -> Witness:
    view = memoryview(bytearray(place.length))
    lane.read(place.offset, view).wait()
    return Witness(place.offset, place.length, digest(view))
