"""Model: what a job has to be after what was said of it, in far fewer words than the product needs.

A job is a position, the most that each disk was ever said to have in this attempt, a state and whose word it is,
when it was heard last and by which hub. A hub is since when it has been healthy, and what it knows of the other
ones. Senders here number their updates; what the original sender's unnumbered ones mean
is shown in tests/sendensed/core/test_job.py.
"""

from datetime import datetime, timedelta

STALLED, FAILED, GONE = timedelta(seconds=60), timedelta(seconds=300), timedelta(seconds=900)
GAP = timedelta(seconds=15)
ENDS = ("completed", "failed", "cancelled")


class ModelHub:
    """One hub. `rows`, since when each has been healthy and its last beat, is common to all; `seen` is what a hub
    knows of it since its own last beat."""

    def __init__(self, name: str, rows: dict[str, tuple[datetime, datetime]]) -> None:
        self.name = name
        self.rows = rows
        self.seen: dict[str, tuple[datetime, datetime]] = {}

    def beat(self, now: datetime, *, starts: bool = False) -> None:
        """Proves that it hears; where it could not meanwhile, it has been healthy since now."""
        if starts or now - self.rows[self.name][1] > GAP:
            self.rows[self.name] = (now, now)
        self.rows[self.name] = (self.rows[self.name][0], now)
        self.seen = dict(self.rows)


class ModelJob:
    """One job. `history` holds each state it came to, and who said so."""

    def __init__(self) -> None:
        self.position = (0, -1)
        self.disks: dict[int, int] = {}
        self.state = ""
        self.voice = ""
        self.is_started = False
        self.heard: datetime | None = None
        self.ear = ""
        self.history: list[tuple[str, str]] = []

    @property
    def bytes(self) -> int:
        return sum(self.disks.values())

    def hear(self, position: tuple[int, int], status: str, disks: dict[int, int], now: datetime, hub: str) -> bool:
        """Takes an update that this hub heard; whether it is applied."""
        is_final = self.state in ENDS and self.voice == "sender"
        if position[0] < self.position[0] or (is_final and position[0] == self.position[0]):
            return False
        if position <= self.position:
            self.heard, self.ear = now, hub
            if self.state == "stalled":
                self._come_to("running" if self.is_started else "pending", "sender")
            return False
        if position[0] > self.position[0]:
            self.disks, self.state, self.is_started = {}, "", False
        self.position, self.heard, self.ear = position, now, hub
        for disk, done in disks.items():
            self.disks[disk] = max(done, self.disks.get(disk, 0))
        self.is_started |= status != "pending"
        self._come_to("running" if status == "pending" and self.is_started else status, "sender")
        return True

    def fall_silent(self, now: datetime, judge: ModelHub) -> None:
        """Takes the look of a hub's reaper at a job. Who does not hear himself says nothing."""
        healthy_since, beat_at = judge.seen[judge.name]
        if self.heard is None or self.state in ENDS or now - beat_at > GAP:
            return
        silent_since = max(self.heard, healthy_since)
        if now - silent_since >= FAILED and self._is_given_up(now, judge):
            self._come_to("failed", "reaper")
        elif now - silent_since >= STALLED:
            self._come_to("stalled", "reaper")

    def _is_given_up(self, now: datetime, judge: ModelHub) -> bool:
        """Whether the hub that heard the job last would have heard it since, or has been gone for long enough."""
        healthy_since, beat_at = judge.seen.get(self.ear, (self.heard, self.heard))
        if now - beat_at <= GAP:
            return now - healthy_since >= FAILED
        return now - max(beat_at, judge.seen[judge.name][0]) >= GONE

    def _come_to(self, state: str, voice: str) -> None:
        self.voice = voice
        if state != self.state:
            self.state = state
            self.history.append((state, voice))
