"""Words: how sizes, shares, durations and phases are told to people, the same by every program and on the page.

Numbers are rounded down, sizes and shares to a tenth, durations to their second unit: nothing is said to be done,
or a unit to be reached, to which a byte or a second is lacking.
"""

import math

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_NEARLY = 1e-9
"""By what a product such as 32.3 * 10 may fall short of its integer, which must not cost a tenth."""

_STEPS = {"starting": 1, "transferring": 2, "verifying": 3, "finalizing": 3}
"""Where a phase stands among those of a run of clientd, which verifies or finalizes last."""


def size(count: float) -> str:
    """`1.5 GiB`, `1023 B`."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{_tenths(count)} {_UNITS[unit]}" if unit else f"{int(count)} B"


def percent(share: float) -> str:
    """`62.3 %`; `100 %` of nothing that lacks a byte."""
    return "100 %" if share >= 100 else f"{_tenths(max(share, 0.0))} %"


def duration(seconds: float) -> str:
    """`45 s`, `4 min 05 s`, `3 h 07 min`, `2 d 4 h`."""
    whole = max(int(seconds), 0)
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s"


def count(number: int, one: str) -> str:
    """`1 job`, `1,234 jobs`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def phase_step(sender: str, phase: str) -> str:
    """`2 of 3`: where the phase stands among those that a run goes through; '' for senders whose are not known."""
    step = _STEPS.get(phase) if sender.startswith("clientd/") else None
    return f"{step} of 3" if step else ""


def _tenths(value: float) -> str:
    return f"{math.floor(value * 10 + _NEARLY) / 10:.1f}"
