"""Control: over the real socket, every line has its answer, and nobody can hold the daemon up."""

import json
import os
import socket
import threading
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from msgspec.structs import replace

from clientd.config import ServeSettings
from clientd.core import control as wire
from clientd.core.control import Cancel, JobView, ListJobs
from clientd.core.queue import Entry, Refused
from clientd.errors import DaemonUnavailable, SpoolUnavailable, UsageError
from clientd.net import asking, control
from tests.waits import PATIENCE

SETTINGS = ServeSettings(request_wait=60, clients=2)
JOB = b'{"job_id":"backup-x","disk":[{"source":"/s","target":"/t"}]}'


class Queue:
    """Takes everything, or fails as told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.taken: list[str] = []
        self.many = 1

    async def submit(self, order, origin=""):
        await trio.lowlevel.checkpoint()
        if self.error:
            raise self.error
        self.taken.append(order.job_id)
        return Entry(number=1, order=order)

    async def cancel(self, job_id):
        await trio.lowlevel.checkpoint()
        if self.error:
            raise self.error
        return JobView(job_id, "running", 1)

    def listed(self):
        return [JobView("ä" * 100, "queued", 0, error="e" * 400)] * self.many


class House:
    """A server at a path."""

    def __init__(self, path) -> None:
        self.path = path
        self.queue = Queue()

    async def talk(self, *parts: bytes) -> list[dict]:
        """What comes back for these bytes, until the server closes or we have an answer for each part."""
        async with await trio.open_unix_socket(self.path) as stream:
            answers = []
            with trio.fail_after(PATIENCE), suppress(trio.BrokenResourceError):
                for part in parts:
                    with suppress(trio.BrokenResourceError):  # one that is too busy does not read
                        await stream.send_all(part)
                    read = b""
                    while not read.endswith(b"\n"):
                        if not (got := await stream.receive_some()):
                            return answers
                        read += got
                    answers.append(json.loads(read))
        return answers

    async def ask(self, request):
        return await trio.to_thread.run_sync(asking.ask, self.path, request)


@asynccontextmanager
async def served(path, settings=SETTINGS):
    house = House(path)
    async with control.opened(path) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(control.Server(house.queue, settings).run, listener)
        yield house
        nursery.cancel_scope.cancel()


@pytest.fixture
async def house(tmp_path):
    async with served(tmp_path / "run/clientd.sock") as house:
        yield house


async def test_the_socket_is_its_owner_s_alone_and_goes_with_the_daemon(tmp_path):
    path = tmp_path / "run/clientd.sock"
    async with served(path):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


async def test_each_request_of_a_connection_has_its_answer(house):
    lines = [
        b'{"command":"list"}\n',
        b'{"command":"submit","job":' + JOB + b"}\n",
        b'{"command":"cancel","job_id":"y"}\n',
    ]
    listed, submitted, cancelled = await house.talk(*lines)
    assert listed["jobs"][0]["state"] == "queued"
    assert submitted["jobs"][0]["job_id"] == "backup-x"
    assert cancelled["jobs"][0]["job_id"] == "y"
    assert house.queue.taken == ["backup-x"]


async def test_the_commands_side_understands_the_answers(house):
    house.queue.many = 5000
    assert len((await house.ask(ListJobs())).jobs) == 5000
    assert (await house.ask(Cancel("größe/1"))).jobs[0].job_id == "größe/1"


@pytest.mark.parametrize(
    "line",
    [b"", b"hello", b"{}", b'{"command":"stop"}', b'{"command":"list","x":1}', b"\xff\xfe", b"GET / HTTP/1.1\r"],
)
async def test_what_is_no_request_is_answered_and_the_connection_closed(house, line):
    answers = await house.talk(line + b"\n", b'{"command":"list"}\n')
    assert [answer["error"]["code"] for answer in answers] == ["malformed"]
    assert house.queue.taken == []


async def test_a_request_that_is_too_long_is_cut_off(house):
    (answer,) = await house.talk(b" " * (wire.LONGEST + 2))
    assert answer["error"]["code"] == "too_long"


async def test_a_request_that_does_not_end_is_refused(house):
    async with await trio.open_unix_socket(house.path) as stream:
        await stream.send_all(b'{"command":"list"}')
        await stream.send_eof()
        with trio.fail_after(PATIENCE):
            answer = json.loads(await stream.receive_some())
    assert "ends without a line's end" in answer["error"]["sentence"]


async def test_a_client_that_says_nothing_is_let_go(tmp_path):
    async with served(tmp_path / "s", replace(SETTINGS, request_wait=0.05)) as house:
        (answer,) = await house.talk(b'{"command":')
        assert answer["error"]["code"] == "too_slow"


async def test_a_client_that_takes_no_answer_is_let_go(tmp_path):
    async with served(tmp_path / "s", replace(SETTINGS, request_wait=0.1, clients=1)) as house:
        house.queue.many = 5000
        async with await trio.open_unix_socket(house.path) as stream:
            await stream.send_all(b'{"command":"list"}\n')
            with trio.fail_after(PATIENCE):
                answers = []
                while not answers or answers[0].get("error"):  # busy, or itself too slow for so short a time
                    answers = await house.talk(b'{"command":"list"}\n')


async def test_a_client_too_many_is_told_to_come_back_and_others_are_served(house):
    async with await trio.open_unix_socket(house.path), await trio.open_unix_socket(house.path) as second:
        with trio.fail_after(PATIENCE):
            while (await house.talk(b'{"command":"list"}\n'))[0].get("error") is None:
                await trio.sleep(0.01)
        await second.send_all(b'{"command":"list"}\n')
        assert b'"jobs"' in await second.receive_some()


async def test_a_client_that_goes_away_is_nobody_s_trouble(house):
    for _ in range(20):
        async with await trio.open_unix_socket(house.path) as stream:
            await stream.send_all(b'{"command":"list"}\n{"comm')
    assert (await house.ask(ListJobs())).error is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("full", "no room"), "full"),
        (UsageError("no disk"), "refused"),
        (SpoolUnavailable("queue.db: EIO"), "unavailable"),
    ],
)
async def test_a_refusal_comes_back_as_a_sentence(house, error, code):
    house.queue.error = error
    (answer,) = await house.talk(b'{"command":"submit","job":' + JOB + b"}\n")
    assert answer["error"]["code"] == code
    assert str(error) in answer["error"]["sentence"]


async def test_a_wrong_job_is_answered_with_its_place_and_the_connection_lives(house):
    wrong = JOB.replace(b'"/t"', b'"t"')
    first, second = await house.talk(b'{"command":"submit","job":' + wrong + b"}\n", b'{"command":"list"}\n')
    assert "disk[0].target: 't' must be an absolute path" in first["error"]["sentence"]
    assert second["jobs"]


async def test_a_job_with_a_wrong_address_is_refused_with_its_place_and_not_queued(house):
    wrong = JOB.replace(b'"/t"', b'"nbd://h:0/t"')
    (answer,) = await house.talk(b'{"command":"submit","job":' + wrong + b"}\n")
    assert answer["error"]["code"] == "wrong"
    assert "disk[0].target: the NBD address 'nbd://h:0/t' has no possible port" in answer["error"]["sentence"]
    assert not house.queue.taken


async def test_a_second_daemon_is_refused_and_the_first_goes_on(house):
    with pytest.raises(UsageError, match="another clientd serves at the socket"):
        async with control.opened(house.path):
            pass
    assert (await house.ask(ListJobs())).error is None


async def test_the_socket_of_a_killed_daemon_is_taken_over(tmp_path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "s"))
    async with served(tmp_path / "s") as house:
        assert (await house.ask(ListJobs())).error is None


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("file", "is there already and no socket"),
        ("x" * 200, "is longer than 107 bytes"),
        ("file/s", "ENOTDIR|EEXIST"),
    ],
)
async def test_a_place_where_no_socket_can_be_is_refused(tmp_path, name, sentence):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UsageError, match=sentence):
        async with control.opened(tmp_path / name):
            pass
    assert (tmp_path / "file").read_text() == "precious"


def test_without_a_daemon_the_sentence_says_what_to_do(tmp_path):
    with pytest.raises(DaemonUnavailable, match="start it with clientd serve"):
        asking.ask(tmp_path / "none", ListJobs())
    with pytest.raises(UsageError, match=r"is no path of a socket .*: name its own with --socket"):
        asking.ask(tmp_path / ("x" * 200), ListJobs())


@pytest.mark.parametrize("said", [b"", b"no json\n", b'{"jobs":5}\n', b'{"jobs":[]}'])
def test_what_answers_otherwise_is_no_daemon(tmp_path, said):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()

        def answer() -> None:
            with listening.accept()[0] as way:
                way.recv(1000)
                way.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(DaemonUnavailable, match="is no clientd of this version"):
            asking.ask(tmp_path / "s", ListJobs())
        thread.join()


def test_a_daemon_too_busy_to_read_is_heard_all_the_same(tmp_path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()

        def refuse() -> None:
            with listening.accept()[0] as way:
                way.sendall(b'{"error":{"code":"busy","sentence":"try again"}}\n')

        thread = threading.Thread(target=refuse)
        thread.start()
        answer = asking.ask(tmp_path / "s", Cancel("x" * wire.LONGEST))  # more than a socket takes unread
        thread.join()
    assert answer.error.code == "busy"


def test_a_daemon_that_does_not_answer_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "_PATIENCE", 0.05)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(tmp_path / "s"))
        listening.listen()
        with pytest.raises(DaemonUnavailable, match=r"does not answer within 0\.05 s"):
            asking.ask(tmp_path / "s", ListJobs())
