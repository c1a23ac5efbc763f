"""Senders: jobs that push telemetry whatever happens to the hub, and the ledger of what it acknowledged.

What an update says follows from its position, so that the database can be held against the ledger: a job's
bytes are those of some position that was sent, and of none before the one acknowledged.
"""

import json
import random

import msgspec
import trio

DISKS = 4
FINALS = ("completed", "failed", "cancelled")
ANSWER = 10.0
"""Seconds until a sender gives up on an answer, as the original one does."""
PAUSE = 0.02
"""Seconds between two tries: far shorter than a real sender's, so that a fault meets requests under way."""

Position = tuple[int, int]


def disk_bytes(position: Position, disk: int) -> int:
    attempt, sequence = position
    return 1_000_000 * attempt + 1_000 * sequence + disk


def job_bytes(position: Position) -> int:
    return sum(disk_bytes(position, disk) for disk in range(DISKS))


class Account(msgspec.Struct):
    """What is known of one job: the last position sent, the last acknowledged, and how each attempt ends."""

    sent: Position = (0, -1)
    acknowledged: Position = (0, -1)
    ends: dict[int, tuple[int, str]] = {}
    """For each attempt the sequence of its last update, and the state that it reports."""

    def says(self, position: Position) -> str:
        """The state that the update at this position reports."""
        last, state = self.ends[position[0]]
        return state if position[1] == last else "running"


class Ledger:
    """Every job's account, and what came back."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.answers: dict[str, int] = {}
        self.heard = trio.Event()

    def count(self, answer: str) -> None:
        self.answers[answer] = self.answers.get(answer, 0) + 1
        if answer == "200":
            self.heard.set()

    async def next_acknowledgement(self) -> None:
        """Returns at the next 200, whoever gets it."""
        self.heard = trio.Event()
        await self.heard.wait()

    async def acknowledgements(self, count: int) -> None:
        """Returns once there have been so many in all."""
        while self.answers.get("200", 0) < count:
            await self.next_acknowledgement()


class Sender:
    """One connection, on which one job runs after the other until `stopping` is set."""

    def __init__(
        self, number: int, port: int, ledger: Ledger, chance: random.Random, pause: float = PAUSE
    ) -> None:
        """`pause` is the seconds between two tries."""
        self._pause = pause
        self._number = number
        self._port = port
        self._ledger = ledger
        self._chance = chance
        self._stream: trio.SocketStream | None = None

    async def run(self, stopping: trio.Event) -> None:
        count = 0
        try:
            while not stopping.is_set():
                count += 1
                await self._run_job(f"backup-vm{self._number}-{count}", stopping)
        finally:
            self._hang_up()

    async def _run_job(self, job_id: str, stopping: trio.Event) -> None:
        """One or two attempts of a job. An update that got no 200 is sent again, or the newest in its place."""
        account = self._ledger.accounts[job_id] = Account(ends={})
        for attempt in range(1, self._chance.choice((1, 1, 2)) + 1):
            last = self._chance.randint(1, 40)
            account.ends[attempt] = (last, self._chance.choice(FINALS))
            sequence = 0
            while sequence <= last:
                if await self._push(job_id, account, (attempt, sequence)):
                    account.acknowledged = (attempt, sequence)
                    sequence += 1
                elif stopping.is_set():
                    return
                else:
                    sequence = min(sequence + self._chance.randint(0, 1), last)
                    await trio.sleep(self._pause)

    async def _push(self, job_id: str, account: Account, position: Position) -> bool:
        """Whether the update was acknowledged."""
        account.sent = max(account.sent, position)
        body = json.dumps(update(account, position)).encode()
        head = f"POST /api/v1/telemetry/backup/{job_id} HTTP/1.1\r\nHost: localhost\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            with trio.fail_after(ANSWER):
                if self._stream is None:
                    self._stream = await trio.open_tcp_stream("127.0.0.1", self._port)
                await self._stream.send_all(head.encode() + body)
                status = (await answer(self._stream))[9:12].decode()
        except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            self._ledger.count(type(error).__name__)
            self._hang_up()
            return False
        self._ledger.count(status)
        if status not in ("200", "503"):
            raise AssertionError(f"{job_id} at {position} was answered {status}")
        return status == "200"

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._stream.socket.close()
            self._stream = None


def update(account: Account, position: Position) -> dict[str, object]:
    return {
        "status": account.says(position),
        "current_phase": "transferring",
        "attempt": position[0],
        "sequence": position[1],
        "bytes_transferred": job_bytes(position),
        "total_bytes": 10**9,
        "disks": [{"disk_index": disk, "bytes_transferred": disk_bytes(position, disk)} for disk in range(DISKS)],
    }


async def answer(stream: trio.SocketStream) -> bytes:
    """A whole answer. Raises BrokenResourceError where the connection ends before it does."""
    read = b""
    while True:
        piece = await stream.receive_some(65536)
        if not piece:
            raise trio.BrokenResourceError
        read += piece
        head, end, body = read.partition(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0] or 0)
        if end and len(body) >= length:
            return read
