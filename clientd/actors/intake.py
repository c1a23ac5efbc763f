"""Intake: takes the job files of a folder into the queue.

A file is moved away once its job is durably in the queue. After a crash in between it is still there; the queue
then knows the file, and takes it no second time. Where it cannot be moved, it is not taken again meanwhile, even
when the queue has long forgotten its job.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog
import trio

from clientd.core.order import Order
from clientd.core.queue import Refused
from clientd.errors import SpoolUnavailable, UsageError, printable, reason

log = structlog.get_logger()

T = TypeVar("T")

_AT_A_TIME = 100
"""Files taken between two looks: a stop does not wait for thousands."""
_PATIENCE = 10.0
"""Seconds that a call to the folder's disk may take."""
_LATER = frozenset({"full", "stopping"})
"""Refusals that are none of the file's fault."""


class File(Protocol):
    """A job file."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def origin(self) -> str:
        """This file's, and no other's."""
        ...


class Folder(Protocol):
    """Blocking calls, from one thread at a time; all raise OSError."""

    def waiting(self, most: int) -> list[Any]:
        """Files that wait, the oldest first."""
        ...

    def read(self, file: Any) -> Order:
        """Raises UsageError."""
        ...

    def taken(self, file: Any) -> None:
        """Moves it away."""
        ...

    def refused(self, file: Any, why: str) -> None:
        """Moves it away, and the reason beside it."""
        ...


Submit = Callable[[Order, str], Awaitable[object]]
"""Takes the order of that origin. Raises Refused, UsageError or SpoolUnavailable."""


class Intake:
    """One folder's."""

    def __init__(self, folder: Folder, submit: Submit, look: float) -> None:
        self._folder = folder
        self._submit = submit
        self._look = look
        self._threads = trio.CapacityLimiter(1)
        self._trouble = ""
        self._submitted: set[str] = set()

    async def run(self) -> None:
        """Until it is cancelled, which leaves no file half taken: one that is in the queue is known there."""
        while True:
            try:
                await self._take_all()
            except (OSError, SpoolUnavailable, Refused) as error:
                self._note(reason(error) if isinstance(error, OSError) else str(error))
            else:
                self._trouble = ""
            await trio.sleep(self._look)

    async def _take_all(self) -> None:
        """Raises OSError, SpoolUnavailable or Refused where the files have to wait."""
        files: list[File] = await self._ask(partial(self._folder.waiting, _AT_A_TIME))
        self._submitted &= {file.origin for file in files}
        for file in files:
            name = printable(file.path.name)
            try:
                if file.origin not in self._submitted:
                    order = await self._ask(partial(self._folder.read, file))
                    await self._submit(order, file.origin)
            except UsageError as error:
                await self._refuse(file, name, str(error))
            except Refused as error:
                if error.code in _LATER:
                    raise
                await self._refuse(file, name, str(error))
            else:
                self._submitted.add(file.origin)
                await self._ask(partial(self._folder.taken, file))
                log.info("job file taken", file=name)

    async def _refuse(self, file: File, name: str, why: str) -> None:
        await self._ask(partial(self._folder.refused, file, why))
        log.error("job file refused", file=name, error=why)

    async def _ask(self, call: Callable[[], T]) -> T:
        try:
            with trio.fail_after(_PATIENCE):
                return await trio.to_thread.run_sync(call, limiter=self._threads, abandon_on_cancel=True)
        except trio.TooSlowError:
            raise SpoolUnavailable(f"the folder does not answer within {_PATIENCE:g} s") from None

    def _note(self, trouble: str) -> None:
        """Says it once."""
        if trouble != self._trouble:
            log.warning("job files have to wait", error=trouble)
        self._trouble = trouble
