"""Intake: what comes in goes out in order; a full queue makes askers wait and refuses telemetry; an end is one."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from sendensed.core.conflate import Room
from sendensed.intake import Intake
from tests.sendensed.core.test_conflate import post

ROOM = Room(count=3, bytes=1_000)


async def test_what_waits_is_received_in_order_and_then_the_receiver_waits(autojump_clock):
    intake = Intake(ROOM)
    first = post("a")
    assert intake.offer(first, 10)
    await intake.send("beat")
    assert [await intake.receive(), await intake.receive()] == [first, "beat"]
    with pytest.raises(trio.WouldBlock):
        intake.receive_nowait()
    received = []

    async def receive():
        received.append(await intake.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        intake.send_nowait("late")
    assert received == ["late"]


async def test_a_full_queue_refuses_telemetry_and_lets_askers_wait_for_room(autojump_clock):
    intake = Intake(ROOM)
    for name in "abc":
        intake.send_nowait(name)
    assert intake.fill == 1
    assert not intake.offer(post(), 10)
    assert not intake.offer(post(status="completed"), 10)
    with pytest.raises(trio.WouldBlock):
        intake.send_nowait("d")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(intake.send, "d")
        await wait_all_tasks_blocked()
        assert len(intake) == 3
        assert await intake.receive() == "a"
    assert [intake.receive_nowait() for _ in range(3)] == ["b", "c", "d"]


async def test_after_its_end_what_waits_is_still_received_and_nothing_more_taken(autojump_clock):
    with Intake(ROOM) as intake:
        intake.send_nowait("last")
    assert await intake.receive() == "last"
    with pytest.raises(trio.EndOfChannel):
        await intake.receive()
    for attempt in (lambda: intake.offer(post(), 1), lambda: intake.send_nowait("x")):
        with pytest.raises(trio.ClosedResourceError):
            attempt()


async def test_who_waits_for_room_or_for_work_hears_of_the_end(autojump_clock):
    intake = Intake(ROOM)
    heard = []

    async def send():
        with pytest.raises(trio.ClosedResourceError):
            await intake.send("d")
        heard.append("sender")

    async def receive():
        with pytest.raises(trio.EndOfChannel):
            await empty.receive()
        heard.append("receiver")

    empty = Intake(ROOM)
    for name in "abc":
        intake.send_nowait(name)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        intake.close()
        empty.close()
    assert sorted(heard) == ["receiver", "sender"]


async def test_a_cancelled_receiver_has_taken_nothing(autojump_clock):
    intake = Intake(ROOM)
    with trio.move_on_after(1):
        await intake.receive()
    intake.send_nowait("a")
    with trio.CancelScope() as scope:
        scope.cancel()
        await intake.receive()
    assert await intake.receive() == "a"
