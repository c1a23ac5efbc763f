"""Hub: what the commands ask of a running hub, over REST."""

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from schemas.job import JobDetail, JobList, JobView, Stopping
from sendensed.cli import credentials
from sendensed.cli.address import address_of, question, quote
from sendensed.cli.http import Answer, Connection
from sendensed.errors import Denied, HubUnreachable, NotFound, SendensedError

if TYPE_CHECKING:  # imported where it is read, by the commands that need it
    from schemas.reading import ApplianceList, Health, MachineDetail, MachineView, Samples

T = TypeVar("T")
Pairs = Sequence[tuple[str, str]]

PATIENCE = 10.0
"""Seconds that a hub may take for an answer."""
PAGE = 1_000
"""Jobs asked for at once: the hub's most."""
_MACHINES = 200
"""Machines, and runs of one, asked for at once: the hub's most."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Hub:
    """One hub, asked with one token. Every method raises what `get` raises. Use it as a context.

    `now` is the hub's clock at its last answer, in whole seconds: ages are counted by it, not by this machine's.
    """

    def __init__(self, url: str, token: str | None, patience: float = PATIENCE) -> None:
        self.url = url
        self.token = token
        self.now: datetime | None = None
        self._connection = Connection(address_of(url), patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, path: str, query: Pairs, kind: type[T]) -> T:
        """Asks the hub; returns its answer, read as `kind`.

        Raises HubUnreachable where nobody answers, NotFound for a 404, Denied for a 401 or 403, SendensedError
        with the hub's own sentence for any other refusal.
        """
        return self._read(self._ask("GET", path + (f"?{question(query)}" if query else "")), kind)

    def jobs(self, query: Pairs, limit: int) -> tuple[list[JobView], bool]:
        """At most so many jobs that match, page by page in the hub's order; and whether there are more."""
        found: list[JobView] = []
        cursor = ""
        while True:
            page = [("limit", str(min(limit - len(found), PAGE)))]
            if cursor:
                page.append(("cursor", cursor))
            answer = self.get("/api/v1/jobs", [*query, *page], JobList)
            found += answer.jobs
            cursor = answer.next or ""
            if not cursor or len(found) >= limit:
                return found, bool(cursor)

    def job(self, job_id: str) -> JobDetail:
        """One job with its disks and its history."""
        return self.get(f"/api/v1/jobs/{_segment(job_id)}", [], JobDetail)

    def samples(self, job_id: str, points: int) -> "Samples":
        """A job's chart, in about so many points, with how far each disk was."""
        from schemas.reading import Samples

        query = [("points", str(points)), ("disks", "true")]
        return self.get(f"/api/v1/jobs/{_segment(job_id)}/samples", query, Samples)

    def cancel(self, job_id: str) -> Stopping:
        """Asks the job to stop."""
        return self._read(self._ask("POST", f"/api/v1/jobs/{_segment(job_id)}/cancel"), Stopping)

    def machines(self, text: str = "") -> "Iterator[MachineView]":
        """All machines with this in their name, by name."""
        from schemas.reading import MachineList

        cursor = ""
        while True:
            query = [("limit", str(_MACHINES)), ("q", text), *([("cursor", cursor)] if cursor else [])]
            answer = self.get("/api/v1/machines", query, MachineList)
            yield from answer.machines
            if not answer.next:
                return
            cursor = answer.next

    def machine(self, name: str, runs: int) -> "MachineDetail":
        """One machine, with so many of its newest runs."""
        from schemas.reading import MachineDetail

        query = [("limit", str(min(runs, _MACHINES)))]
        return self.get(f"/api/v1/machines/{_segment(name)}", query, MachineDetail)

    def appliances(self) -> "ApplianceList":
        """All appliances, by name."""
        from schemas.reading import ApplianceList

        return self.get("/api/v1/appliances", [], ApplianceList)

    def health(self) -> "Health":
        """What the hub says of itself, also where it is not ready."""
        from schemas.reading import Health

        answer = self._ask("GET", "/api/v1/health")
        return self._read(answer._replace(status=200) if answer.status == 503 else answer, Health)

    def _ask(self, method: str, target: str) -> Answer:
        try:
            answer = self._connection.ask(method, target, self.token)
        except (OSError, ValueError) as error:
            raise unreachable(self.url, error) from None
        self.now = clock(answer.date) or self.now
        return answer

    def _read(self, answer: Answer, kind: type[T]) -> T:
        if 200 <= answer.status < 300:
            try:
                return msgspec.json.decode(answer.body, type=kind)
            except (msgspec.ValidationError, msgspec.DecodeError) as error:
                raise SendensedError(
                    f"what answers at {self.url} is no hub of this version: {error}; is --hub right?"
                ) from None
        if answer.status in (401, 403):
            raise denied(self.url, self._sentence(answer))
        if answer.status == 404:
            raise NotFound(f"{self._sentence(answer)}; see sendensed jobs or machines for what there is")
        raise SendensedError(self._sentence(answer))

    def _sentence(self, answer: Answer) -> str:
        from schemas.fault import FaultBody

        try:
            return msgspec.json.decode(answer.body, type=FaultBody).error.message
        except (msgspec.ValidationError, msgspec.DecodeError):
            return f"the hub at {self.url} answered {answer.status}"


def of(options: argparse.Namespace, patience: float = PATIENCE) -> Hub:
    """The hub that the command line names, and the token for it. Raises ConfigError."""
    return Hub(options.hub, credentials.token(options.token_file), patience)


def _segment(text: str) -> str:
    """A name as one segment of an address. Raises NotFound for what no hub can know."""
    try:
        return quote(text)
    except UnicodeEncodeError:
        raise NotFound("that name is not valid UTF-8: no hub knows it; copy it from a list (-o name)") from None


def unreachable(url: str, error: Exception) -> HubUnreachable:
    """What is said where nobody answers."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return HubUnreachable(f"no hub answers at {url}: {said}; is it running (sendensed serve), is --hub right?")


def denied(url: str, said: str) -> Denied:
    """What is said when the hub wants a token, or another one."""
    return Denied(
        f"the hub at {url} says: {said}; give a token with --token-file, {credentials.VARIABLE} or in "
        f"{credentials.own_file()}"
    )


def clock(date: str) -> datetime | None:
    """The moment of a Date field, `Mon, 23 Nov 2026 02:14:07 GMT`; None for anything else."""
    try:
        _, day, month, year, time, _ = date.split()
        hour, minute, second = map(int, time.split(":"))
        return datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
