"""Replay-disks: how far each disk was at a moment of a run, as far as what was kept of the run tells it.

A point of a job with several disks tells how far each was. One that a hub of before kept tells of the whole job
alone: there a disk is known where it is the only one, and elsewhere by its history:

    disk 0  ####completed------------        its own end: all of its bytes
    disk 1  ....####completed--------        pending before it began: none; alone: what the job has besides
    disk 2  ....#########completed---        beside disk 1 nobody knows which of them had which: left out

A disk that is left out is one that nothing true can be said of; it is there again once it is known.
"""

import re
from collections.abc import Mapping, Sequence

from schemas.job import ENDED
from sendensed.core import disks
from sendensed.core.model import Disk, Job

_TOLD = re.compile(r"disk (?P<index>\d+) (?P<status>.*?)(: .*)?", re.DOTALL)


def told(detail: str) -> tuple[int, str] | None:
    """Which disk a row of the history is of, and the state that it tells; None for other words."""
    found = _TOLD.fullmatch(detail)
    return (int(found["index"]), found["status"]) if found else None


def known(
    job: Job, states: Mapping[int, str], done: Mapping[int, int], final: Job, *, is_whole: bool
) -> tuple[Disk, ...]:
    """The disks of `job` that are known.

    `states` are those told in its attempt, all of them where `is_whole`; `done` are each one's bytes at the last
    point, where it tells them; `final` is the run's end.
    """
    last = final.disks if job.attempt == final.attempt else ()  # of those before, no end of a disk was kept
    if len(final.disks) == 1 and not done:
        [only] = final.disks
        return (_at(only.index, job.bytes_transferred, job.total_bytes, states.get(only.index, ""), only),)
    ends = {disk.index: disk for disk in last}
    found = [_measured(index, copied, states.get(index, ""), ends.get(index)) for index, copied in done.items()]
    told = {index: state for index, state in states.items() if index not in done} if is_whole else {}
    found += [disk for index, state in told.items() if (disk := _apart(index, state, ends.get(index)))]
    left = [index for index in told if index not in {disk.index for disk in found}]
    if len(left) == 1 and states[left[0]] not in ENDED:
        found.append(_rest(left[0], states[left[0]], job, found, ends.get(left[0])))
    return tuple(sorted(found, key=lambda disk: disk.index))


def _measured(index: int, done: int, state: str, end: Disk | None) -> Disk:
    """The disk at the last point, or as it ended after that."""
    if state in ENDED and end is not None:
        done = max(done, end.bytes_transferred)
    return _at(index, done, end.total_bytes if end else 0, state, end)


def _apart(index: int, state: str, end: Disk | None) -> Disk | None:
    """The disk, where its state alone tells how far it is."""
    if state == "pending":
        return _at(index, 0, end.total_bytes if end else 0, state, end)
    if state in ENDED and end is not None:
        return _at(index, end.bytes_transferred, end.total_bytes, state, end)
    return None


def _rest(index: int, state: str, job: Job, others: Sequence[Disk], end: Disk | None) -> Disk:
    """The one disk that the bytes of no other belong to."""
    done = max(job.bytes_transferred - disks.bytes_sum(tuple(others)), 0)
    return _at(index, min(done, end.bytes_transferred) if end else done, end.total_bytes if end else 0, state, end)


def _at(index: int, done: int, total: int, state: str, end: Disk | None) -> Disk:
    percent = 100.0 if state == "completed" else disks.percent(done, total, 0.0, None)
    error = end.error_message if end is not None and state == "failed" else None
    return Disk(index, done, total, percent, state, error)
