"""Flood: updates offered to a hub at a rate, whether it keeps up or not, and what became of each.

An update is sent when it is due, not when the last one was answered (open loop). Progress goes in pushes of many
jobs, as a relay sends it; the end of each job goes alone, and again after each refusal when its Retry-After is
over. Bounded by its connections: what is due while all of them wait for an answer is held back, and counted.
One thread on one epoll, lean, since it shares the machine with what it floods.
"""

import heapq
import json
import random
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator

import msgspec

from schemas.batch import BatchAnswer
from tests.faults.senders import Account, Ledger, update

LIFE = (100, 300)
"""Updates of a job: fewest and most before its end; of the first jobs some end at once, as if begun before."""
PATIENCE = 60.0
"""Seconds after the last update is due until which every end must have come in."""
RETRY = b"\r\nRetry-After: "

_read = msgspec.json.Decoder(BatchAnswer).decode


class Figures(msgspec.Struct):
    """What became of what was offered. Latencies of ends are from their being due to their 200, in seconds."""

    seconds: float = 0.0
    offered: int = 0
    held: int = 0
    acknowledged: int = 0
    steady: int = 0
    """Of them, those answered in the second half of the time, when the queue had what it holds."""
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    ends: list[float] = msgspec.field(default_factory=list)
    ends_refused: Counter[str] = msgspec.field(default_factory=Counter)
    without_retry: list[str] = msgspec.field(default_factory=list)
    """Refusals that do not say when to come again, or not within 5 s."""
    cpu: float = 0.0

    @property
    def goodput(self) -> float:
        """Updates acknowledged a second in the second half of the time, ends among them."""
        return self.steady / (self.seconds / 2)

    def end_at(self, share: float) -> float:
        """How long the ends took, at this share of them."""
        return sorted(self.ends)[int(share * (len(self.ends) - 1))] if self.ends else 0.0


class _Job:
    __slots__ = ("account", "due", "job_id", "sequence")

    def __init__(self, job_id: str, updates: int) -> None:
        self.job_id = job_id
        self.sequence = 0
        self.due = 0.0
        self.account = Account(ends={1: (updates, "completed")})


class _Line:
    """One connection, and what waits for its answer: the jobs of a push with their sequences, or one end."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.jobs: list[_Job] = []
        self.end: _Job | None = None
        self.sent: list[int] = []
        self.answer = b""

    def send(self, path: str, body: bytes) -> None:
        """Sends a request; it fits the buffers of a connection that has nothing under way."""
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        self.socket.sendall(b"%s%d\r\n\r\n%s" % (head.encode(), len(body), body))

    def receive(self) -> tuple[bytes, bytes] | None:
        """Head and body of the answer, once it is whole."""
        piece = self.socket.recv(65536)
        if not piece:
            raise AssertionError(f"the hub hung up after {self.answer!r}")
        self.answer += piece
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]):
            return None
        self.answer = b""
        return head, body


class Flood:
    """Relays of so many jobs each, and what they know of the answers. Use it as a context, on one thread."""

    def __init__(self, port: int, *, relays: int, jobs: int, enders: int, ledger: Ledger, seed: int = 1) -> None:
        """`enders` are the connections for ends: no more than the hub keeps places for.

        `seed` is in the names of its jobs, and settles how long each of them lasts.
        """
        self._ledger = ledger
        self._seed = seed
        self._chance = random.Random(seed)
        self._made = 0
        self._port = port
        self._relays = [_Line() for _ in range(relays)]
        for line in self._relays:
            line.jobs = [self._new_job(1) for _ in range(jobs)]
        self._jobs = jobs
        self._enders = deque(_Line() for _ in range(enders))
        self._idle = deque(self._relays)
        self._epoll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._ends: list[tuple[float, int, _Job]] = []
        self._said: dict[tuple[int, bool], bytes] = {}

    def __enter__(self) -> "Flood":
        return self

    def __exit__(self, *_: object) -> None:
        self._epoll.close()
        for line in self._lines.values():
            line.socket.close()

    def run(self, rate: float | None, seconds: float, at_once: int = 0) -> Figures:
        """Offers so many updates a second for so long; returns with no end open.

        Without a rate it offers what the hub takes: the relays push by turns, so many `at_once`, each next one
        when one was answered.
        """
        self._figures = figures = Figures()
        began, cpu = time.monotonic(), time.process_time()
        ends_at = began + seconds
        pushes = half = 0
        while (now := time.monotonic()) < ends_at:
            if now < began + seconds / 2:
                half = figures.acknowledged
            due = began + pushes * self._jobs / rate if rate else now
            if rate is None:
                while len(self._relays) - len(self._idle) < at_once:
                    self._push(now)
            while rate is not None and due <= now:
                self._push(due)
                pushes += 1
                due = began + pushes * self._jobs / rate
            self._send_ends(now)
            self._hear(min(ends_at, due if rate else ends_at))
        figures.seconds = time.monotonic() - began
        figures.cpu = (time.process_time() - cpu) / figures.seconds
        figures.steady = figures.acknowledged - half
        self._settle(time.monotonic() + PATIENCE)
        return figures

    def _settle(self, until: float) -> None:
        """Waits for what is under way, and sends the ends until all of them are acknowledged."""
        while self._ends or any(line.sent or line.end for line in self._lines.values()):
            if time.monotonic() > until:
                raise AssertionError(f"not within {PATIENCE:g} s: {len(self._ends)} ends and their answers")
            self._send_ends(time.monotonic())
            self._hear(time.monotonic() + 0.1)

    def _new_job(self, fewest: int = LIFE[0]) -> _Job:
        self._made += 1
        job = _Job(f"backup-flood-{self._seed}-{self._made}", self._chance.randint(fewest, LIFE[1]))
        self._ledger.accounts[job.job_id] = job.account
        return job

    def _push(self, due: float) -> None:
        """One push of an idle relay's jobs; a job at its end is handed over, and another one takes its place."""
        self._figures.offered += self._jobs
        if not self._idle:
            self._figures.held += self._jobs
            return
        line, rows = self._idle.popleft(), []
        for place, job in enumerate(line.jobs):
            if job.sequence == job.account.ends[1][0]:
                job.due = due
                heapq.heappush(self._ends, (due, self._made, job))
                self._figures.offered += 1
                job = line.jobs[place] = self._new_job()
            position = (1, job.sequence)
            job.account.sent = max(job.account.sent, position)
            said = self._row(job.account, job.sequence)
            rows.append(b'{"job_type":"backup","job_id":"%s",%s' % (job.job_id.encode(), said))
            line.sent.append(job.sequence)
            job.sequence += 1
        self._send(line, "/api/v1/telemetry", b'{"updates":[%s]}' % b",".join(rows))

    def _send(self, line: _Line, path: str, body: bytes) -> None:
        """Sends a request over the line, which is connected when it is first needed."""
        if line.socket is None:
            line.socket = socket.create_connection(("127.0.0.1", self._port))
            line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._lines[line.socket.fileno()] = line
            self._epoll.register(line.socket, select.EPOLLIN)
        line.send(path, body)

    def _row(self, account: Account, sequence: int) -> bytes:
        """What follows a row's address: the same for all jobs at this sequence."""
        key = (sequence, sequence == account.ends[1][0])
        if key not in self._said:
            self._said[key] = json.dumps(update(account, (1, sequence))).encode()[1:]
        return self._said[key]

    def _send_ends(self, now: float) -> None:
        while self._ends and self._enders and self._ends[0][0] <= now:
            job, line = heapq.heappop(self._ends)[2], self._enders.popleft()
            line.end = job
            job.account.sent = (1, job.sequence)
            said = b"{" + self._row(job.account, job.sequence)
            self._send(line, f"/api/v1/telemetry/backup/{job.job_id}", said)

    def _hear(self, until: float) -> None:
        """Takes the answers that come before then; returns at the first of them."""
        for number, _ in self._epoll.poll(max(0.0, until - time.monotonic())):
            line = self._lines[number]
            answer = line.receive()
            if answer is None:
                continue
            if line.end is not None:
                self._end_answered(line, line.end, *answer)
            else:
                for job, sequence, code, wait in self._told(line, *answer):
                    self._count(job, sequence, code, wait)
                line.sent = []
                self._idle.append(line)

    def _told(self, line: _Line, head: bytes, body: bytes) -> Iterator[tuple[_Job, int, str, float]]:
        """What each row of a push was answered: a push that is refused whole refuses each of its rows."""
        rows = zip(line.jobs, line.sent, strict=True)
        if not head.startswith(b"HTTP/1.1 200 "):
            code, wait = _refusal(head, body)
            yield from ((job, sequence, code, wait) for job, sequence in rows)
            return
        for (job, sequence), result in zip(rows, _read(body).results, strict=True):
            code = "" if result.error is None else f"{result.code} {result.error.code}"
            yield job, sequence, code, result.retry_after or 0

    def _count(self, job: _Job, sequence: int, code: str, wait: float) -> None:
        if not code:
            self._figures.acknowledged += 1
            job.account.acknowledged = max(job.account.acknowledged, (1, sequence))
            return
        self._figures.refused[code] += 1
        if not 1 <= wait <= 5:
            self._figures.without_retry.append(f"{code}: {wait:g}")

    def _end_answered(self, line: _Line, job: _Job, head: bytes, body: bytes) -> None:
        line.end = None
        self._enders.append(line)
        now = time.monotonic()
        if head.startswith(b"HTTP/1.1 200 "):
            self._count(job, job.sequence, "", 0)
            self._figures.ends.append(now - job.due)
            return
        code, wait = _refusal(head, body)
        self._count(job, job.sequence, code, wait)
        self._figures.ends_refused[code] += 1
        heapq.heappush(self._ends, (now + max(wait, 1), self._made, job))


def _refusal(head: bytes, body: bytes) -> tuple[str, float]:
    """Status and code of a refusal, and the seconds of its Retry-After; 0 where it has none."""
    code = f"{head[9:12].decode()} {json.loads(body)['error']['code']}"
    return code, float(head.partition(RETRY)[2].split(b"\r\n")[0] or 0)
