"""Hub: two hubs that remember what they were told, one in memory for actors, one on loopback for processes.

Both read every body with the wire's own strict parser: what a real hub would refuse fails the test.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import unquote

import trio

from schemas import telemetry
from schemas.telemetry import Acknowledgement, Telemetry
from tests.waits import PATIENCE

Answer = Acknowledgement | Exception


class MemoryHub:
    """Answers with the scripted answers first (an exception is raised), then acknowledges everything.

    `pushes` are all tries, `told` those that were acknowledged. `hold()` makes it silent until `release()`.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = deque(answers)
        self.pushes: list[Telemetry] = []
        self.told: list[Telemetry] = []
        self.times: list[float] = []
        self._open = trio.Event()
        self._open.set()
        self._changed = trio.Event()

    def hold(self) -> None:
        self._open = trio.Event()

    def release(self) -> None:
        self._open.set()

    async def push(self, job_type: str, job_id: str, content: bytes) -> Acknowledgement:
        update = telemetry.parse(job_type, job_id, content)
        self.pushes.append(update)
        self.times.append(trio.current_time())
        self._wake()
        await self._open.wait()
        await trio.lowlevel.checkpoint()
        answer = self.answers.popleft() if self.answers else Acknowledgement()
        if isinstance(answer, Exception):
            raise answer
        self.told.append(update)
        self._wake()
        return answer

    async def wait_until(self, condition: Callable[["MemoryHub"], bool]) -> None:
        """Returns once the condition holds; looks after every push."""
        while not condition(self):
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


@dataclass
class Reply:
    """A raw answer: status, body, headers; `silent` keeps the connection open without a word."""

    status: int = 200
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False


Rule = Callable[[Telemetry], Acknowledgement | Reply]


class HttpHub:
    """A hub on loopback: `async with trio.open_nursery() as n: hub = await HttpHub.start(n)`.

    `rule` decides the answer to an update; `replies` are given first, whatever is sent. `paths` are the raw
    request targets, `heads` the raw heads, `pushed` all updates, `told` the acknowledged ones, `connections` the
    number of those accepted.
    """

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.pushed: list[Telemetry] = []
        self.told: list[Telemetry] = []
        self.paths: list[str] = []
        self.heads: list[str] = []
        self.replies: deque[Reply] = deque()
        self.rule: Rule = lambda update: Acknowledgement()
        self._changed = trio.Event()

    @classmethod
    async def start(cls, nursery: trio.Nursery) -> "HttpHub":
        hub = cls()
        listeners = await nursery.start(partial(trio.serve_tcp, hub._serve, 0, host="127.0.0.1"))
        hub.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        return hub

    async def wait_until(self, condition: Callable[[Telemetry], bool]) -> None:
        """Returns once an update was pushed, acknowledged or not, for which the condition holds."""
        with trio.fail_after(PATIENCE):
            while not any(condition(update) for update in self.pushed):
                await self._changed.wait()

    async def _serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        unread = b""
        with trio.CancelScope(), _ending(stream):
            while True:
                while b"\r\n\r\n" not in unread:
                    part = await stream.receive_some()
                    if not part:
                        return
                    unread += part
                head, _, unread = unread.partition(b"\r\n\r\n")
                length = _content_length(head.decode())
                while len(unread) < length:
                    part = await stream.receive_some()
                    if not part:
                        return
                    unread += part
                reply = self._reply(head.decode(), unread[:length])
                unread = unread[length:]
                if reply.silent:
                    await trio.sleep(math.inf)
                await stream.send_all(_wire(reply))

    def _reply(self, head: str, content: bytes) -> Reply:
        self.heads.append(head)
        target = head.split(" ", 2)[1]
        self.paths.append(target)
        if self.replies:
            return self.replies.popleft()
        _, _, _, job_type, job_id = target.removeprefix("/").split("/")
        update = telemetry.parse(unquote(job_type), unquote(job_id), content)
        self.pushed.append(update)
        self._changed.set()
        self._changed = trio.Event()
        answer = self.rule(update)
        if isinstance(answer, Reply):
            return answer
        self.told.append(update)
        return Reply(content=answer.encoded())


class _ending:  # noqa: N801 - used as a word of its own
    """Closes a stream without waiting, and takes a reset by the peer as its end."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        self._stream.socket.close()
        return isinstance(error, trio.BrokenResourceError)


def _content_length(head: str) -> int:
    for line in head.lower().split("\r\n"):
        if line.startswith("content-length:"):
            return int(line.partition(":")[2])
    return 0


def _wire(reply: Reply) -> bytes:
    headers = {"content-length": str(len(reply.content)), **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode() + reply.content
