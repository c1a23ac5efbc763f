"""Retry: how long to wait before the next try at a hub that does not answer."""

import msgspec


class Backoff(msgspec.Struct, frozen=True):
    """Full jitter: a random wait whose upper bound doubles from `least` to `most` seconds.

    Many senders that lost the same hub thus come back spread out, not as a herd.
    """

    least: float
    most: float
    longest_asked: float

    def delay(self, failures: int, chance: float, asked: float | None = None) -> float:
        """Seconds to wait after so many failures in a row (from 1). `chance` is in [0, 1).

        `asked` is what the hub itself asked for: never less than that, unless it asks for too much.
        """
        bound = min(self.most, self.least * 2.0 ** min(failures, 30))
        jittered = self.least + chance * (bound - self.least)
        return max(jittered, min(asked or 0.0, self.longest_asked))


def parse_retry_after(text: str | None) -> float | None:
    """The seconds of a Retry-After header; None for none, for a date and for nonsense."""
    if text is None or not text.isascii() or not text.strip().isdigit():
        return None
    return float(text.strip()[:9])
