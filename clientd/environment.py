"""Environment: the wall clock, chance and fresh ids. A simulator takes this place; nothing else asks for them."""

import random  # noqa: TID251 - the one place where chance enters
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from clientd.core.moment import Moment


class Environment(Protocol):
    """What the machine gives that no computation can."""

    def wall(self) -> datetime:
        """The time of day in UTC: to be shown, never to be subtracted."""
        ...

    def moment(self) -> Moment:
        """Now, for a later process to measure from."""
        ...

    def random(self) -> float:
        """A number in [0, 1)."""
        ...

    def new_id(self) -> str:
        """An id that nobody has used."""
        ...

    async def failpoint(self, name: str) -> None:
        """Returns at once; a simulator may end the process here instead."""
        ...


class SystemEnvironment:
    """The real thing."""

    def __init__(self) -> None:
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def wall(self) -> datetime:
        """The system's clock."""
        return datetime.now(UTC)  # noqa: TID251 - the one place where wall time is read

    def moment(self) -> Moment:
        """By the clock that goes on while the machine is asleep."""
        return Moment(self._boot, time.clock_gettime(time.CLOCK_BOOTTIME), self.wall().timestamp())

    def random(self) -> float:
        """For jitter; no secret depends on it."""
        return random.random()  # noqa: S311

    def new_id(self) -> str:
        """A random UUID."""
        return str(uuid.uuid4())  # noqa: TID251 - the one place where ids are made

    async def failpoint(self, name: str) -> None:
        """Nothing: real processes are killed from outside."""
