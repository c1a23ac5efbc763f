"""Doctor: what was found on this machine and at the hub, judged, and what to do about it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from clientd.core.spool import Holding
from schemas import words

Verdict = Literal["ok", "warning", "wrong"]

LARGEST_SKEW = 5.0
"""Seconds between our clock and the hub's that are no trouble: times of day are only shown."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at; the sentence says what to do where it is not ok."""

    check: str
    verdict: Verdict
    sentence: str


class Hub(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard from the hub at `url`. `error` is why nothing was; `health` and `push` are HTTP statuses.

    `push` answers an empty push with the token, 0 where none was made. `skew` is its clock against ours in
    seconds, None where it said no time.
    """

    url: str
    error: str = ""
    health: int = 0
    version: str = ""
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    skew: float | None = None
    push: int = 0
    token: bool = False


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one end of a disk. `free` is the room where a file is to grow, None elsewhere."""

    index: int
    role: Literal["source", "target"]
    name: str
    error: str = ""
    size: int | None = None
    free: int | None = None


def nbdkit(version: str | None, *, needed: bool) -> Finding:
    """`version` is what nbdkit says of itself, None where there is none."""
    if version is not None:
        return Finding("nbdkit", "ok", f"{version} is installed")
    verdict: Verdict = "wrong" if needed else "warning"
    return Finding("nbdkit", verdict, "nbdkit is not installed, which source_command needs: install it")


def hub(found: Hub) -> list[Finding]:
    """The hub, its token and its clock, as far as they could be looked at."""
    if found.error:
        advice = "check the address, the tunnel, and whether the hub runs"
        return [Finding("hub", "wrong", f"the hub at {found.url} does not answer ({found.error}): {advice}")]
    if found.health not in (200, 503) or not found.version:
        what = f"what answers at {found.url} is no hub (HTTP status {found.health})"
        if found.health in (401, 403):
            return [_token(found)]
        return [Finding("hub", "wrong", f"{what}: name the hub's address with --hub")]
    return [_reached(found), _token(found), _clock(found)]


def skew(theirs: datetime, before: datetime, after: datetime) -> float:
    """Seconds by which a clock that was read between two moments of ours is off; 0 where it cannot be told."""
    if theirs < before:
        return (theirs - before).total_seconds()
    return max((theirs - after).total_seconds(), 0.0)


def spool(folder: str, held: Holding | None, error: str = "") -> Finding:
    """The state directory and what waits there; `error` where it cannot be used."""
    if held is None:
        return Finding(
            "state", "wrong", f"{folder} cannot be used ({error}): mend it, or name another with --state-dir"
        )
    if held.aside:
        refused = f"{words.count(held.aside, 'event')} that the hub refused"
        said = f"{folder} holds {refused}: look for 'set aside' in the log"
        return Finding("state", "warning", said)
    if held.waiting:
        waiting = f"{words.count(held.waiting, 'event')} of {words.count(held.jobs, 'job')}"
        said = f"{folder} holds {waiting}: clientd flush delivers them"
        return Finding("state", "warning", said)
    return Finding("state", "ok", f"{folder} can be used, nothing waits there")


def disks(found: Sequence[Disk]) -> list[Finding]:
    """Each end of each disk; targets are held against their sources."""
    sizes = {disk.index: disk.size for disk in found if disk.role == "source"}
    return [_disk(disk, sizes.get(disk.index)) for disk in found]


def is_well(findings: Sequence[Finding]) -> bool:
    """Nothing has to be done."""
    return all(finding.verdict == "ok" for finding in findings)


def _reached(found: Hub) -> Finding:
    told = f"the hub at {found.url} answers (version {found.version})"
    if found.health == 503 or found.reasons:
        why = "; ".join(found.reasons) or "it gives no reason"
        return Finding("hub", "wrong", f"{told}, but it cannot work ({why}): look at the hub")
    if found.warnings:
        return Finding("hub", "warning", f"{told}, and warns ({'; '.join(found.warnings)}): look at the hub")
    return Finding("hub", "ok", told)


def _token(found: Hub) -> Finding:
    status = found.push or found.health
    if status in (401, 403) and not found.token:
        return Finding(
            "token", "wrong", "the hub wants a token: make one there with the role push, give --token-file"
        )
    if status in (401, 403):
        return Finding("token", "wrong", f"token refused ({status}): make another at the hub, with the role push")
    if status != 200:
        return Finding(
            "token", "warning", f"the hub could not look at the token (HTTP status {status}): ask again"
        )
    return Finding("token", "ok", "the hub lets us push" if found.token else "the hub asks for no token")


def _clock(found: Hub) -> Finding:
    if found.skew is None:
        return Finding("clock", "warning", "the hub tells no time: its version may be another, look at both")
    if abs(found.skew) > LARGEST_SKEW:
        ahead = "ahead of" if found.skew > 0 else "behind"
        said = f"the hub's clock is {words.duration(abs(found.skew))} {ahead} ours: set both by NTP"
        return Finding("clock", "warning", said)
    return Finding("clock", "ok", "the hub's clock and ours agree")


def _disk(disk: Disk, wanted: int | None) -> Finding:
    check, name = f"disk[{disk.index}].{disk.role}", f"'{disk.name}'"
    if disk.error:
        return Finding(check, "wrong", disk.error)
    if disk.role == "source":
        return Finding(check, "ok", f"{name} can be read, {words.size(disk.size or 0)}")
    if disk.free is not None and wanted is not None and disk.free < wanted:
        lacking = f"{words.size(wanted - disk.free)} less than its source has"
        said = f"{name} has room for {words.size(disk.free)}, {lacking}: make room"
        return Finding(check, "warning", f"{said}, unless enough of it is empty")
    room = "" if disk.free is None else f", {words.size(disk.free)} free"
    return Finding(check, "ok", f"{name} can be written{room}")
