"""Latest: only the newest counts, writers never wait, and the last word is heard."""

import pytest
import trio

from clientd.latest import Latest


async def test_a_newer_value_takes_the_place_of_an_older_one():
    box = Latest[int]()
    for value in range(5):
        box.put(value)
    assert await box.take() == 4
    assert box.take_nowait() is None


async def test_a_reader_waits_for_a_value(autojump_clock):
    box = Latest[int]()
    got = []

    async def read():
        got.append(await box.take())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(1)
        assert got == []
        box.put(7)
    assert got == [7]


async def test_after_closing_the_last_value_is_heard_and_then_the_end():
    with Latest[int]() as box:
        box.put(1)
    assert box.closed
    await box.wait_closed()
    assert await box.take() == 1
    with pytest.raises(trio.EndOfChannel):
        await box.take()
    with pytest.raises(trio.ClosedResourceError):
        box.put(2)
    box.close()


async def test_a_waiting_reader_hears_of_the_end(autojump_clock):
    box = Latest[int]()

    async def read():
        with pytest.raises(trio.EndOfChannel):
            await box.take()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        box.close()


async def test_a_cancelled_reader_takes_nothing():
    box = Latest[int]()
    box.put(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await box.take()
    assert box.take_nowait() == 1
