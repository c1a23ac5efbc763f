"""Appliance: what is known of who sends, from what its telemetry says besides its jobs.

A spool keeps one update a job, the newest; so its depth is the number of jobs whose last word had waited. A job
that then says nothing more, because it died or because another hub hears it now, is left out after a while.
"""

from datetime import datetime, timedelta

import msgspec

from schemas.telemetry import Telemetry

WAITED = 1.0
"""Seconds: an update that is older when it is sent came out of the spool."""
SPOKEN = timedelta(seconds=300)
"""How long the last word of a job tells of its sender's spool: as long as a silent job counts as alive."""
SMOOTHING = 0.1
"""How much of each new reading the shown clock skew takes."""
ROOM = 10_000
"""Appliances that a hub remembers between two notes, and jobs of one that came out of its spool."""

_OFTEN = timedelta(seconds=1)
"""What tells nothing new within this time is passed over: hundreds of updates a second would say the same."""
_ENDS = frozenset({"completed", "failed", "cancelled"})


class Appliance(msgspec.Struct, frozen=True):
    """One appliance as last heard. A skew above 0 is a clock that is ahead of the hub's, seconds."""

    name: str
    version: str
    last_heard_at: datetime
    clock_skew_seconds: float | None
    spool_depth: int
    spool_age_seconds: float


class Register:
    """The appliances that one hub has heard since its start."""

    def __init__(self) -> None:
        self._known: dict[str, Appliance] = {}
        self._waited: dict[str, dict[str, tuple[datetime, float]]] = {}
        self._news: set[str] = set()

    def heard(self, name: str, update: Telemetry, now: datetime) -> None:
        """Takes what an update that was committed tells of its sender; `name` is its token's, '' without one."""
        product, version = split(update.sender)
        name = name or product
        if not name:
            return
        waited, known = self._waited.setdefault(name, {}), self._known.get(name)
        late = update.age >= WAITED and update.status not in _ENDS
        if known and not late and update.job_id not in waited and now - known.last_heard_at < _OFTEN:
            return
        waited.pop(update.job_id, None)  # so that the newest stand last
        while waited and now - waited[oldest := next(iter(waited))][0] > SPOKEN:
            del waited[oldest]
        if late and len(waited) < ROOM:
            waited[update.job_id] = now, update.age
        self._known.pop(name, None)  # so that the newest stand last
        self._known[name] = Appliance(
            name=name,
            version=version or (known.version if known else ""),
            last_heard_at=now,
            clock_skew_seconds=_skew(known.clock_skew_seconds if known else None, update, now),
            spool_depth=len(waited),
            spool_age_seconds=max((age for _, age in waited.values()), default=0.0),
        )
        self._news.add(name)
        if len(self._known) > ROOM:
            self._forget(next(iter(self._known)))

    def news(self) -> list[Appliance]:
        """Those heard since the last call, by name."""
        found = [self._known[name] for name in sorted(self._news)]
        self._news.clear()
        return found

    def _forget(self, name: str) -> None:
        del self._known[name], self._waited[name]
        self._news.discard(name)


def split(sender: str) -> tuple[str, str]:
    """Name and version of `clientd/0.1.0` or `clientd 0.1.0`."""
    name, _, version = sender.strip().replace("/", " ").partition(" ")
    return name, version.strip()


def _skew(known: float | None, update: Telemetry, now: datetime) -> float | None:
    if update.timestamp is None:
        return known
    reading = (update.timestamp - now).total_seconds() + update.age
    return reading if known is None else known + SMOOTHING * (reading - known)
