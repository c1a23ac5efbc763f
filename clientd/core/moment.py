"""Moment: a point in time that another process can still measure from.

Within a boot the machine's uptime tells durations exactly, whatever happens to its clock; over a restart only the
clock is left.
"""

import msgspec


class Moment(msgspec.Struct, frozen=True, gc=False):
    """`boot` names the boot, `uptime` are the seconds since, with those asleep; `wall` are seconds since 1970."""

    boot: str
    uptime: float
    wall: float


def age(made: Moment, now: Moment) -> float:
    """Seconds from `made` to `now`; never negative."""
    same_boot = made.boot == now.boot
    return max(now.uptime - made.uptime if same_boot else now.wall - made.wall, 0.0)
