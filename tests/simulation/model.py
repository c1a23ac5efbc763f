"""Model: what a job has to be after what was said of it, in far fewer words than the product needs.

A job is a position, the most that each disk was ever said to have in this attempt, a state and whose word it is,
and when it was heard last. Senders here number their updates; what the original sender's unnumbered ones mean
is shown in tests/sendensed/core/test_job.py.
"""

from datetime import datetime, timedelta

STALLED, FAILED = timedelta(seconds=60), timedelta(seconds=300)
ENDS = ("completed", "failed", "cancelled")


class ModelJob:
    """One job. `history` holds each state it came to, and who said so."""

    def __init__(self) -> None:
        self.position = (0, -1)
        self.disks: dict[int, int] = {}
        self.state = ""
        self.voice = ""
        self.is_started = False
        self.heard: datetime | None = None
        self.history: list[tuple[str, str]] = []

    @property
    def bytes(self) -> int:
        return sum(self.disks.values())

    def hear(self, position: tuple[int, int], status: str, disks: dict[int, int], now: datetime) -> bool:
        """Takes an update; whether it is applied."""
        is_final = self.state in ENDS and self.voice == "sender"
        if position[0] < self.position[0] or (is_final and position[0] == self.position[0]):
            return False
        if position <= self.position:
            self.heard = now
            if self.state == "stalled":
                self._come_to("running" if self.is_started else "pending", "sender")
            return False
        if position[0] > self.position[0]:
            self.disks, self.state, self.is_started = {}, "", False
        self.position, self.heard = position, now
        for disk, done in disks.items():
            self.disks[disk] = max(done, self.disks.get(disk, 0))
        self.is_started |= status != "pending"
        self._come_to("running" if status == "pending" and self.is_started else status, "sender")
        return True

    def fall_silent(self, now: datetime, healthy_since: datetime) -> None:
        """Takes the reaper's look at a job."""
        if self.heard is None or self.state in ENDS:
            return
        silence = now - max(self.heard, healthy_since)
        if silence >= FAILED:
            self._come_to("failed", "reaper")
        elif silence >= STALLED:
            self._come_to("stalled", "reaper")

    def _come_to(self, state: str, voice: str) -> None:
        self.voice = voice
        if state != self.state:
            self.state = state
            self.history.append((state, voice))
