"""Intake: each job file ends in the queue or among the refused, and waits where neither can be."""

import errno

import pytest
import trio

from clientd.actors.intake import Intake
from clientd.core.queue import Refused
from clientd.errors import SpoolUnavailable, UsageError
from clientd.state.folder import Folder
from tests.waits import PATIENCE

TEXT = 'job_id = "{}"\n[[disk]]\nsource = "/s"\ntarget = "/t"\n'


class Queue:
    """Takes orders; raises what is scripted for a job first, as often as it is."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.errors: dict[str, list[Exception]] = {}

    async def submit(self, order, origin) -> None:
        await trio.lowlevel.checkpoint()
        if errors := self.errors.get(order.job_id):
            raise errors.pop(0)
        self.taken.append((order.job_id, origin))


class House:
    """A real folder, its intake, and the queue behind."""

    def __init__(self, path) -> None:
        self.folder = Folder(path, 10)
        self.folder.make()
        self.queue = Queue()
        self.intake = Intake(self.folder, self.queue.submit, 0.01)

    def put(self, name: str, text: str) -> None:
        (self.folder.path / ".new").write_text(text)
        (self.folder.path / ".new").rename(self.folder.path / name)

    def names(self, folder: str = ".") -> list[str]:
        found = (self.folder.path / folder).iterdir()
        return sorted(path.name for path in found if not path.is_dir() and not path.name.startswith("."))

    async def until(self, what) -> None:
        with trio.fail_after(PATIENCE):
            while not what():
                await trio.sleep(0.005)


@pytest.fixture
async def house(tmp_path, nursery):
    house = House(tmp_path / "jobs")
    nursery.start_soon(house.intake.run)
    return house


async def test_a_file_is_taken_once_and_moved_away(house):
    house.put("a.toml", TEXT.format("a"))
    await house.until(lambda: house.names("taken") == ["a.toml"])
    assert [job_id for job_id, _ in house.queue.taken] == ["a"]
    assert house.names() == []


async def test_files_that_are_still_written_are_left_alone(house):
    for name in (".b.toml", "b.toml.part", "readme"):
        (house.folder.path / name).write_text("half")
    house.put("a.toml", TEXT.format("a"))
    await house.until(lambda: house.names("taken") == ["a.toml"])
    assert house.names() == ["b.toml.part", "readme"]
    assert house.names("refused") == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UsageError("the source '/s' cannot be read"), "the source '/s' cannot be read\n"),
        (Refused("duplicate", "the job 'a' is running already"), "the job 'a' is running already\n"),
    ],
)
async def test_what_the_queue_refuses_is_set_aside_with_the_reason(house, error, reason):
    house.queue.errors["a"] = [error]
    house.put("a.toml", TEXT.format("a"))
    house.put("b.toml", TEXT.format("b"))
    await house.until(lambda: house.names("taken") == ["b.toml"])
    assert house.names("refused") == ["a.toml", "a.toml.reason"]
    assert (house.folder.path / "refused/a.toml.reason").read_text() == reason


async def test_a_file_that_is_wrong_is_set_aside_with_the_place(house):
    house.put("a.json", "{}")
    await house.until(lambda: house.names("refused") == ["a.json", "a.json.reason"])
    assert "is wrong: job_id: is missing" in (house.folder.path / "refused/a.json.reason").read_text()


@pytest.mark.parametrize(
    "error",
    [Refused("full", "3 jobs wait already"), Refused("stopping", "x"), SpoolUnavailable("queue.db: ENOSPC")],
)
async def test_a_file_that_cannot_be_taken_now_waits(house, error, said):
    house.queue.errors["a"] = [error] * 3
    house.put("a.toml", TEXT.format("a"))
    await house.until(lambda: house.names("taken") == ["a.toml"])
    assert house.names("refused") == []
    assert [line["error"] for line in said if line["event"] == "job files have to wait"] == [str(error)]


async def test_a_file_that_cannot_be_moved_is_taken_once_all_the_same(house):
    move, times = house.folder.taken, [1, 2]

    def failing(file) -> None:
        if times:
            times.pop()
            raise OSError(errno.EIO, "broken")
        move(file)

    house.folder.taken = failing
    house.put("a.toml", TEXT.format("a"))
    await house.until(lambda: house.names("taken") == ["a.toml"])
    assert [job_id for job_id, _ in house.queue.taken] == ["a"]


async def test_a_file_that_a_crash_left_comes_with_the_same_origin_again(house, nursery):
    house.folder.taken = lambda file: (_ for _ in ()).throw(OSError(errno.EIO, "broken"))
    house.put("a.toml", TEXT.format("a"))
    await house.until(lambda: house.queue.taken)
    nursery.start_soon(Intake(Folder(house.folder.path, 10), house.queue.submit, 0.01).run)
    await house.until(lambda: house.names("taken") == ["a.toml"])
    assert len(house.queue.taken) == 2
    assert len(set(house.queue.taken)) == 1


async def test_a_folder_that_goes_away_is_waited_for(house, said):
    for name in ("taken", "refused"):
        (house.folder.path / name).rmdir()
    house.folder.path.rmdir()
    await house.until(lambda: any("ENOENT" in line.get("error", "") for line in said))
    house.folder.make()
    house.put("a.toml", TEXT.format("a"))
    await house.until(lambda: house.names("taken") == ["a.toml"])
