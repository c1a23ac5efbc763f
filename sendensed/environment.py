"""Environment: wall clock, random numbers and ids; with streams, stores and disks all the outside there is.

A simulator takes the product over by giving other implementations of these few interfaces.
"""

import os
import random  # noqa: TID251 - this is the one place
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Environment(Protocol):
    """What the hub asks of the world beside network and store."""

    def wall(self) -> datetime:
        """The machine's wall clock, UTC. For logs, headers and until the store's clock is known."""

    def random(self) -> float:
        """A number in [0, 1), for jitter."""

    def new_id(self) -> str:
        """A fresh id that nobody can guess."""

    def secret(self, size: int) -> bytes:
        """So many random bytes that nobody can guess."""

    async def failpoint(self, name: str) -> None:
        """A named place where a simulator may kill or delay the hub. Does nothing in production."""


class SystemEnvironment:
    """The machine itself."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def wall(self) -> datetime:
        """The machine's wall clock, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one place

    def random(self) -> float:
        """A number in [0, 1) from the operating system."""
        return self._random.random()

    def new_id(self) -> str:
        """A random UUID."""
        return str(uuid.uuid4())  # noqa: TID251 - this is the one place

    def secret(self, size: int) -> bytes:
        """Random bytes from the operating system."""
        return os.urandom(size)

    async def failpoint(self, name: str) -> None:
        """Nothing."""
