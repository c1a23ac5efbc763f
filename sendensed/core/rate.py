"""Rate: how many updates an appliance may send: a bucket that fills with time."""

import math

import msgspec


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
