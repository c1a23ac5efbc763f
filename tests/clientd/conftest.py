"""What clientd's tests share: a still environment, and an order of one or more disks."""

import contextlib
from datetime import UTC, datetime

import pytest
import structlog
import trio

from clientd.core.job import Identity
from clientd.core.moment import Moment
from tests.clientd import loops
from tests.fakes.disks import FaultyDisk

collect_ignore = [] if loops.AVAILABLE else ["disk/test_device.py"]


class StillEnvironment:
    """The same moment, the middle of chance, numbered ids; remembers the failpoints that were passed."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self._ids = 0
        self._now = 0.0

    def wall(self) -> datetime:
        return datetime(2026, 11, 23, 2, 14, 7, tzinfo=UTC)

    def moment(self) -> Moment:
        """By trio's clock; in a thread, which cannot see it, as of the last look."""
        with contextlib.suppress(RuntimeError):
            self._now = trio.current_time()
        return Moment("boot-1", self._now, self.wall().timestamp() + self._now)

    def random(self) -> float:
        return 0.5

    def new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    async def failpoint(self, name: str) -> None:
        self.passed.append(name)


@pytest.fixture(autouse=True)
def every_fault_is_used():
    """A fault that nobody ran into proves nothing."""
    yield
    FaultyDisk.check_all()


@pytest.fixture
def said():
    """The log lines so far, as they are written."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def environment():
    return StillEnvironment()


@pytest.fixture
def identity():
    return Identity("backup-web01-20261123-021407", "backup", 1, "web01", "clientd/test", (0,))
