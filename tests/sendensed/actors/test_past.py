"""Past: what earlier runs of machines at work tell of estimates is known, kept fresh, and forgotten with them."""

from datetime import timedelta

import trio

from sendensed.actors import past
from sendensed.core.board import Board
from sendensed.core.model import Job, Prediction
from sendensed.store import StoreUnavailable
from sendensed.store.memory import MemoryStore
from sendensed.store.memory_archive import MemoryArchive
from tests.fakes.jobs import EARLY, a_job
from tests.fakes.stores import FaultyStore, saved


def a_run(number: int, machine: str, left: int) -> Job:
    """One that took 100 s more where `left` had been told."""
    told = (Prediction(50, EARLY, left, 1, 999),)
    end = EARLY + timedelta(seconds=100)
    name = f"{machine}-{number}"
    return a_job(name, vm_name=machine, status="completed", completed_at=end, predictions=told)


class Asked(FaultyStore):
    """An archive that fails as told, and knows whom it was asked for."""

    def __init__(self, base: MemoryArchive) -> None:
        super().__init__(base)
        self.names: list[list[str]] = []

    async def machines(self, **asked):
        self.names.append(list(asked["names"]))
        return await self._call("machines", **asked)


async def test_the_past_of_machines_with_a_run_is_learnt_kept_fresh_and_forgotten(autojump_clock, nursery):
    store, board, known = MemoryStore(lambda: EARLY), Board(1), {}
    archive = Asked(MemoryArchive(store)).fail("machines", StoreUnavailable("away"))
    for number in range(5):
        await saved(store, a_run(number, "web", 120))
        await saved(store, a_run(number, "idle", 150))
    await saved(store, a_run(1, "young", 150))
    board.publish([a_job("now", vm_name="web", revision=1), a_job("new", vm_name="young"), a_job("nameless")])
    nursery.start_soon(past.run, archive, board, known)
    await trio.sleep(5)
    assert known == {}
    await trio.sleep(10)
    assert known == {"web": 0.2}
    await saved(store, a_run(5, "web", 160))
    await saved(store, a_run(6, "web", 160))
    await trio.sleep(3_600)
    assert known == {"web": 0.6}
    assert archive.names == [["web", "young"]] * 3
    board.publish([a_job("now", vm_name="web", status="completed", revision=2)])
    await trio.sleep(10)
    assert known == {}
