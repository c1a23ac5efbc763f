"""Cadence: when the hub is told. Every beat, every so many points of progress, every change at once."""

from typing import Literal

import msgspec

Kind = Literal["none", "progress", "event"]


class Picture(msgspec.Struct, frozen=True):
    """What the hub sees of a job at a glance. `percent` is the job's, `disks` are their status words."""

    percent: float
    phase: str
    status: str
    error: str | None
    disks: tuple[str, ...]


class Sent(msgspec.Struct, frozen=True):
    """What was last handed to the sender, and when (seconds)."""

    at: float
    picture: Picture


class Decision(msgspec.Struct, frozen=True):
    """`kind`: send nothing, the newest progress, or an event that must arrive. `due`: send by then (seconds)."""

    kind: Kind
    due: float


class Cadence(msgspec.Struct, frozen=True):
    """The rules: `beat` is the longest silence in seconds, `points` the percent that are news by themselves."""

    beat: float
    points: float

    def decide(self, last: Sent | None, present: Picture, now: float) -> Decision:
        """What to do now. Asked again at `due` or before, no two sends are more than a beat apart.

        The start, the end and every change of phase, status or error is an event; a change of a disk is
        sent at once too, but a newer update may take its place, as each update tells of all disks.
        """
        if last is None or _headline(last.picture) != _headline(present):
            return Decision("event", now + self.beat)
        due = last.at + self.beat
        moved = present.percent - last.picture.percent
        if now >= due or moved >= self.points or last.picture.disks != present.disks:
            return Decision("progress", now + self.beat)
        return Decision("none", due)


def _headline(picture: Picture) -> tuple[str, str, str | None]:
    return picture.phase, picture.status, picture.error
