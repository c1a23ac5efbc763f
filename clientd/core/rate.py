"""Rate: bytes per second as people write them."""

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

MOST = 2**60
"""Beyond every link and disk; what is not below it is a slip."""


def parse(text: str) -> int | None:
    """The bytes of `800000`, `800K`, `50M`, `1G` or `1T`; None for 0, for MOST and more, and for anything else."""
    unit = _UNITS.get(text[-1:].upper())
    digits = text[:-1] if unit else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > len(str(MOST)):
        return None
    rate = int(digits) * (unit or 1)
    return rate if 0 < rate < MOST else None
