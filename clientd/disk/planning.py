"""Planning: asks a source for what is to be copied, in a thread."""

from collections.abc import Iterable, Iterator

import structlog
import trio

from clientd.config import CopySettings
from clientd.core import extents, plan
from clientd.core.extents import Extent
from clientd.core.order import DiskOrder, Mode
from clientd.core.plan import Plan
from clientd.disk import changes
from clientd.disk.protocol import Disk
from clientd.errors import DiskError

log = structlog.get_logger()


def make(source: Disk, asked: DiskOrder, mode: Mode, settings: CopySettings) -> Plan:
    """The plan. Raises DiskError. In one of trio's threads: a cancelled job stops it at the next extent.

    An incremental copy from a source whose dirty bitmap is gone becomes a full one, which is always right.
    """
    if mode == "incremental":
        changed = _changed(source, asked)
        if changed is not None:
            return _incremental(source, plan.changes(_stoppable(changed), source.size), settings)
        log.warning("there is no such dirty bitmap, all is copied", disk=source.path, bitmap=asked.changes)
    reported = _stoppable(source.extents(0, source.size))
    return plan.full(reported, source.size, settings.smallest_gap)


def _changed(source: Disk, asked: DiskOrder) -> Iterable[Extent] | None:
    if not asked.changes_file:
        return source.changed(0, source.size)
    found = changes.read(asked.changes_file)
    beyond = max((each.offset for each in found if each.length), default=0)
    if beyond >= source.size and beyond:
        cause = f"it names a change at {beyond}, beyond the {source.size} bytes of {source.path}"
        raise DiskError(asked.changes_file, "reading the changes in", None, f"{cause}: is it another disk's?")
    return found


def _incremental(source: Disk, changed: list[Extent], settings: CopySettings) -> Plan:
    gap, join = settings.smallest_gap, settings.coalesce
    wanted = plan.spans(changed, source.size, join)
    reported = (each for span in wanted for each in source.extents(span.offset, span.length))
    return plan.incremental(changed, extents.join(_stoppable(reported), gap), source.size, join=join)


def _stoppable(reported: Iterable[Extent]) -> Iterator[Extent]:
    """A large disk may have millions of extents."""
    for extent in reported:
        trio.from_thread.check_cancelled()
        yield extent
