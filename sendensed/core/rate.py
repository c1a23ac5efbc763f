"""Rate: how many updates an appliance may send: a bucket that fills with time, and a sign of life of each job."""

import math
from collections.abc import Sequence

import msgspec

SIGN = 20.0
"""Seconds after which a job's next update is taken whatever the rate: a third of the silence that is called one,
so no job comes to that because its appliance is too fast."""
NEW = 0.1
"""Share of the rate that jobs have besides which were never heard: each comes to its start, not all at once."""
_KNOWN = 100_000
"""Jobs of an appliance that are remembered at the most; then all but those heard lately are forgotten."""


class Rate(msgspec.Struct, frozen=True):
    """`steady` updates a second, and up to `burst` at once after a pause."""

    steady: float
    burst: int


class Bucket(msgspec.Struct, frozen=True):
    """What is left of it at monotonic second `at`."""

    left: float
    at: float


def draw(bucket: Bucket | None, rate: Rate, count: int, now: float) -> tuple[Bucket, int | None]:
    """Takes `count` updates out, of a full bucket where there is none yet; returns what is left, and None.

    Where there are not so many it takes nothing, and returns the whole seconds after which there are. More than a
    bucket holds are taken from a full one.
    """
    left = float(rate.burst) if bucket is None else min(rate.burst, bucket.left + (now - bucket.at) * rate.steady)
    wanted = min(count, rate.burst)
    if wanted <= left:
        return Bucket(left - wanted, now), None
    return Bucket(left, now), max(1, math.ceil((wanted - left) / rate.steady))


class Gate:
    """What one appliance may send."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._new = Rate(rate.steady * NEW, max(1, round(rate.burst * NEW)))
        self._bucket: Bucket | None = None
        self._beginners: Bucket | None = None
        self._heard: dict[str, float] = {}

    def wait(self, ids: Sequence[str], now: float) -> int | None:
        """None where updates of these jobs, an id for each, are taken at monotonic second `now`; else the whole
        seconds after which they are.
        """
        self._bucket, wait = draw(self._bucket, self._rate, len(ids), now)
        if wait is not None and not self._owes_a_sign(ids, now):
            return wait
        self._heard.update(dict.fromkeys(ids, now))
        if len(self._heard) > _KNOWN:
            self._heard = {job_id: at for job_id, at in self._heard.items() if now - at <= SIGN}
        return None

    def _owes_a_sign(self, ids: Sequence[str], now: float) -> bool:
        """Whether one of the jobs was not heard for long, or never."""
        known = [self._heard.get(job_id) for job_id in ids]
        if any(at is not None and now - at > SIGN for at in known):
            return True
        if None not in known:
            return False
        self._beginners, wait = draw(self._beginners, self._new, known.count(None), now)
        return wait is None
