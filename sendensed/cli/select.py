"""Select: which jobs are meant, as a question to the hub and as a look at one job."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from schemas.job import JobView


class Selection(msgspec.Struct, frozen=True):
    """An empty field selects all. `since` is included, `until` is not; both are of the job's creation."""

    status: tuple[str, ...] = ()
    job_type: str = ""
    machine: str = ""
    appliance: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def in_any_state(self) -> "Selection":
        """The same jobs, whatever state they are in: one that leaves a state is news to who watches that."""
        return msgspec.structs.replace(self, status=())

    def query(self) -> list[tuple[str, str]]:
        """As `/api/v1/jobs` takes it."""
        pairs = [("status", status) for status in self.status]
        named = (
            ("type", self.job_type),
            ("machine", self.machine),
            ("appliance", self.appliance),
            ("q", self.text),
        )
        pairs += [(name, value) for name, value in named if value]
        pairs += [
            (name, moment.isoformat().replace("+00:00", "Z"))
            for name, moment in (("from", self.since), ("to", self.until))
            if moment is not None
        ]
        return pairs

    def feed(self) -> list[tuple[str, str]]:
        """What of it the live feed can be asked for; the rest is seen to by `wants`."""
        pairs = [("status", status) for status in self.status]
        return [*pairs, ("type", self.job_type)] if self.job_type else pairs

    def wants(self, job: JobView) -> bool:
        """Whether the job is one of those, as the hub would say."""
        text = _lowered(self.text)
        return (
            (not self.status or job.status in self.status)
            and (not self.job_type or job.job_type == self.job_type)
            and (not self.machine or job.vm_name == self.machine)
            and (not self.appliance or job.appliance == self.appliance)
            and (not text or text in _lowered(job.id) or text in _lowered(job.vm_name))
            and (self.since is None or job.created_at >= self.since)
            and (self.until is None or job.created_at < self.until)
        )


def of(options: argparse.Namespace, now: Callable[[], datetime]) -> Selection:
    """What the command line selects. `now` is the hub's clock, asked only where a time is told as how long ago."""
    since, until = (_moment(said, now) for said in (options.since, options.until))
    return Selection(
        tuple(dict.fromkeys(state for states in options.status for state in states)),
        options.type,
        options.machine,
        options.appliance,
        options.q,
        since,
        until,
    )


def _moment(said: datetime | timedelta | None, now: Callable[[], datetime]) -> datetime | None:
    if not isinstance(said, timedelta):
        return said
    try:
        return now() - said
    except OverflowError:
        return datetime(1, 1, 1, tzinfo=UTC)


def _lowered(text: str) -> str:
    """A to Z in small letters, nothing else changed: as the hub does."""
    return "".join(chr(ord(sign) + 32) if "A" <= sign <= "Z" else sign for sign in text)
