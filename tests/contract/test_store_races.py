"""What every Store promises to writers who meet at the same jobs."""

from contextlib import suppress
from functools import partial
from itertools import count

import msgspec
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sendensed.core.model import Disk, Job
from sendensed.store import Change, StoreUnavailable
from tests.contract.conftest import memory_store, postgres_store
from tests.fakes.jobs import a_job, an_event
from tests.fakes.stores import saved

_numbers = count(1)
examples = partial(settings, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def test_of_many_saves_of_one_revision_just_one_holds(store):
    job = await saved(store, a_job())
    held = []

    async def write(number):
        after = replace(job, bytes_transferred=number, disks=(Disk(0, number),))
        if await store.save([Change(after, job, (an_event(detail=str(number)),))]):
            held.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(1, 9):
            nursery.start_soon(write, number)
    assert len(held) == 1
    found = await store.job(job.id)
    assert found is not None
    assert (found[0].bytes_transferred, found[0].disks, len(found[1])) == (held[0], (Disk(0, held[0]),), 1)


async def test_writers_of_the_same_jobs_in_any_order_all_come_through(store):
    names = [f"job-{number}" for number in range(20)]
    for name in names:
        await saved(store, a_job(name))

    async def write(order):
        for _ in range(10):
            found = await store.load(names)
            with suppress(StoreUnavailable):  # a deadlock: read again, as after any unknown commit
                await store.save([Change(found[name], found[name]) for name in order])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write, names)
        nursery.start_soon(write, names[::-1])
        nursery.start_soon(write, names[1::2] + names[::2])
    assert all(job.revision > 5 for job in (await store.load(names)).values())


steps = st.lists(
    st.tuples(
        st.sampled_from(["read", "write", "make"]), st.integers(0, 1), st.sets(st.integers(0, 2), min_size=1)
    ),
    max_size=12,
)


async def play(store, mark, script):
    """What two writers see who read and write three jobs, each from what it has read or written last."""
    known: list[dict[str, Job]] = [{}, {}]
    seen: list[object] = []
    for number, (action, writer, chosen) in enumerate(script):
        names = [f"{mark}-{index}" for index in sorted(chosen)]
        if action == "read":
            found = await store.load(names)
            known[writer].update(found)
            seen.append(found)
            continue
        changes = []
        for name in names:
            before = known[writer].get(name) if action == "write" else None
            base = before or a_job(name)
            disks = tuple(Disk(index, number) for index in range(number % 4))
            job = replace(base, bytes_transferred=number, disks=disks)
            changes.append(Change(job, before, (an_event(name, detail=f"{writer} {number}"),)))
        held = await store.save(changes)
        seen.append(sorted(held))
        for change in changes:
            if change.job.id in held:
                known[writer][change.job.id] = replace(change.job, revision=change.job.revision + 1)
    seen.extend([await store.job(f"{mark}-{index}") for index in range(3)])
    return msgspec.to_builtins(seen)


@examples(max_examples=60)
@given(script=steps)
async def test_two_writers_see_the_same_of_both_stores_in_any_order(postgres_dsn, script):
    mark = f"backup-{next(_numbers)}"
    async with postgres_store(postgres_dsn) as real, memory_store() as model:
        assert await play(real, mark, script) == await play(model, mark, script)
