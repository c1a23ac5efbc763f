"""Environment: the wall clock, chance and fresh ids. A simulator takes this place; nothing else asks for them."""

import random  # noqa: TID251 - the one place where chance enters
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Environment(Protocol):
    """What the machine gives that no computation can."""

    def wall(self) -> datetime:
        """The time of day in UTC: to be shown, never to be subtracted."""
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

    def wall(self) -> datetime:
        """The system's clock."""
        return datetime.now(UTC)  # noqa: TID251 - the one place where wall time is read

    def random(self) -> float:
        """For jitter; no secret depends on it."""
        return random.random()  # noqa: S311

    def new_id(self) -> str:
        """A random UUID."""
        return str(uuid.uuid4())  # noqa: TID251 - the one place where ids are made

    async def failpoint(self, name: str) -> None:
        """Nothing: real processes are killed from outside."""
