"""Config: every default once, with its unit and its reason."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from clientd.core import mistake
from clientd.core.queue import Limits
from clientd.errors import UsageError, printable, reason
from schemas import __version__

KIB = 1024
MIB = 1024 * KIB

SENDER = f"clientd/{__version__}"
"""How we call ourselves on the wire."""

HUB_URL = "http://localhost:8082"
"""The tunnel's near end, where the original sender posts too."""


LEGACY_URL = "http://localhost:8081"
"""Where the original's appliance takes progress."""


class CopySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How disks are copied."""

    chunk: int = MIB
    """Bytes read and written at a time, but from server to server, where it is what suits both. From 256 KiB on,
    larger chunks gain little where one side is a file."""

    workers: int = 4
    """Threads per disk. Two keep reading and writing apart; four also cover a source that answers slowly."""

    remote_workers: int = 2
    """The same from server to server: each keeps several requests under way, more would get in the way."""

    disks_at_once: int = 4
    """Disks of a job copied at the same time: more only make one spindle or link seek."""

    smallest_gap: int = 64 * KIB
    """Shortest hole of a source that is left out: reading less is as quick, and a plan could have millions."""

    smallest_hole: int = 4 * KIB
    """Shortest run of zeros left as a hole in a fresh target: one page, a file system's usual block."""

    smallest_zeroing: int = 64 * KIB
    """Shortest run of zeros that is worth a call of its own on a target with old content."""

    zero_chunk: int = 32 * MIB
    """Most bytes of a hole made to read as zeros by one call: a stop is noticed in between."""

    coalesce: int = MIB
    """Longest gap between two changed ranges that are copied as one: a request more would cost as much."""

    pauses: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Seconds between two tries of what failed for a passing reason: four tries in all."""

    checkpoint: float = 30.0
    """Seconds between two checkpoints, each with a flush of the target: most that a lost connection costs."""

    checkpoint_share: float = 0.05
    """Most of the time that flushing for checkpoints may take: where it is slow, they come less often."""

    writeback: int = 4 * MIB
    """Bytes a worker writes before it asks the kernel to write them back: the flush then finds little to do."""

    stop_patience: float = 5.0
    """Seconds that a stopped job waits for calls under way before it tells its end: half the daemon's grace."""


def copy_settings(workers: int) -> CopySettings:
    """The usual ones, with so many threads per disk where that is not 0."""
    if not workers:
        return CopySettings()
    return CopySettings(workers=workers, remote_workers=workers)


class NbdSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How NBD servers are spoken to. Times are seconds."""

    request: int = 512 * KIB
    """Bytes of a request: smaller ones cost more work, larger ones push each other out of the caches, since a
    server has a buffer for each of its threads."""

    local_request: int = MIB
    """The same over a unix socket, where fewer of them are less work, and worth the caches. Not to a server that
    names block sizes: qemu-nbd does, and from 1 MiB on maps memory anew for each request."""

    far_request: int = MIB
    """The same where a server takes its time: data that waits is in no cache anyway, and fewer are less work."""

    near_requests: int = 2
    """Requests under way at once at a server that answers at once, for each worker, each way: it works at one
    while the worker moves the other, and more data is only pushed out of the caches."""

    local_requests: int = 3
    """The same over a unix socket: it holds 208 KiB of an answer, where TCP holds MiBs, so that a server's thread
    waits for the worker, and one more has to work meanwhile."""

    far: float = 0.003
    """Latency from which on a server is far: a disk's or a network's, which no busy processor makes."""

    connect_patience: float = 10.0
    """For each step of connecting: a server that serves one client only lets a second one wait for ever."""

    patience: float = 60.0
    """Longest silence of a server that owes an answer: longer than a disk's own tries at a bad sector."""

    flush_patience: float = 600.0
    """The same while it flushes: gigabytes may wait in its cache for a slow disk."""

    requests: int = 16
    """Most requests under way at once for each worker, each way: servers work at so many of one connection."""

    window: int = 16 * MIB
    """Most bytes of them: with two workers as much as a link of 10 Gbit/s and 25 ms holds."""


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the hub is told. Times are seconds."""

    poll: float = 0.25
    """Between two looks at the counters: fine enough to see every 10 points of a one-minute job."""

    beat: float = 5.0
    """Longest silence towards the hub, moved or not: the hub calls a job stalled after 60."""

    points: float = 10.0
    """Percent of progress that are news by themselves."""

    speed_window: float = 15.0
    """Time that the speed on the wire and the bottleneck look back: long enough to bridge a slow chunk."""

    unmoved: float = 60.0
    """Time without any movement that is worth a line in the log, once; the hub alarms after 600."""

    legacy_timeout: float = 5.0
    """For one update over the legacy progress channel, and for its last word after the job's end."""

    request_timeout: float = 10.0
    """For one push in all; the hub answers within 9."""

    connections: int = 4
    """Most at a time to one hub: a job alone uses one, and many jobs share these."""

    answer_bytes: int = 64 * KIB
    """Most bytes read of an answer; an acknowledgement has some 150."""

    backoff_least: float = 1.0
    backoff_most: float = 30.0
    """Bounds of the full jitter between two tries at a hub that does not answer."""

    denied_retry: float = 300.0
    """Between two tries at a hub that refuses our token: a person must act first."""

    longest_retry_after: float = 300.0
    """A hub may ask for a pause, not for silence until tomorrow."""

    final_retry: float = 2.0
    """Longest pause between two tries once the job has ended and only the hub's word is waited for."""

    final_retry_after: float = 5.0
    """The same where the hub asks for a pause: the longest that a healthy hub asks for."""

    final_wait: float = 30.0
    """Longest wait for the end's acknowledgement: long enough for a hub to restart in."""

    spool_answer: float = 5.0
    """Longest that anything waits for the disk of the spool; SQLite itself waits 1 for another process."""

    spool_retry: float = 10.0
    """Between two tries at a spool that cannot be used: a disk that was full may have room again."""

    spool_look: float = 10.0
    """Between two looks for what others left in the spool: soon enough for whoever waits for a job's end."""

    spool_lots: int = 100
    """Attempts that are taken over at a time: some 100 KiB in memory, and others may take their share."""

    spool_events: int = 10_000
    """Most events in the spool: with four a job, the jobs of weeks without a hub."""

    spool_bytes: int = 64 * MIB
    """Most bytes of them: even with a body's largest, 256 KiB, the ends of 256 jobs."""

    spool_jobs: int = 10_000
    """Jobs whose last attempt is remembered."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    copy: CopySettings = CopySettings()
    nbd: NbdSettings = NbdSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    stop_grace: float = 10.0
    """Seconds from SIGTERM or SIGINT to the process's end at the latest; systemd kills after 90."""


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The daemon's file. Times are seconds; '' is the default that the command line names."""

    hub: str = ""
    """The hub's address; '' is SHA_API_URL, else HUB_URL."""

    token_file: str = ""
    """Holds the hub's token; '' sends none."""

    state_dir: str = ""
    """Holds the queue, the spool and the checkpoints."""

    socket: str = ""
    """Where commands find the daemon; '' is `clientd.sock` in the runtime directory."""

    folder: str = ""
    """Job files that are put there are taken; '' is `jobs` in the state directory."""

    at_once: Annotated[int, Meta(ge=1, le=64)] = 4
    """Jobs that run at once: each has threads for up to four disks, and more only make one spindle seek."""

    waiting: Annotated[int, Meta(ge=1, le=5000)] = 1000
    """Jobs that may wait: a night's backups of a large site."""

    remembered: Annotated[int, Meta(ge=0, le=1000)] = 100
    """Ended jobs that `clientd list` still shows: a night's."""

    resume: bool = True
    """After a crash, interrupted jobs go on from their checkpoints. If not, the hub is told that they failed."""

    crashes: Annotated[int, Meta(ge=0, le=1000)] = 3
    """Crashes in a row that a job is resumed after: one that takes the daemon down must not do so for ever."""

    workers: Annotated[int, Meta(ge=0, le=64)] = 0
    """Threads per disk; 0 for as many as its source and target are worth."""

    final_wait: Annotated[float, Meta(ge=0, le=3600)] = 5.0
    """Longest wait of an ended job for the hub's word: what is left, the daemon delivers from the spool."""

    look: Annotated[float, Meta(ge=0.05, le=3600)] = 1.0
    """Between two looks into the folder."""

    kept: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    """Job files kept of those taken, and of those refused: the newest."""

    store_answer: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """Longest that anything waits for the disk of the queue."""

    check_answer: Annotated[float, Meta(gt=0, le=60)] = 10.0
    """Longest look at a new job's disks: a file server that is away must not hold up whoever submits."""

    request_wait: Annotated[float, Meta(gt=0, le=600)] = 10.0
    """For a whole request to come over the socket, and for its answer to be taken."""

    clients: Annotated[int, Meta(ge=1, le=256)] = 16
    """Connections at once; a further one is told to come back."""

    beat: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """Longest time between two looks at the queue."""

    @property
    def limits(self) -> Limits:
        """The queue's."""
        return Limits(at_once=self.at_once, waiting=self.waiting, remembered=self.remembered, crashes=self.crashes)


def load(path: Path | None) -> ServeSettings:
    """The daemon's settings of a TOML file; the defaults without one.

    Raises UsageError with the file, the key's path and what is wrong.
    """
    if path is None:
        return ServeSettings()
    name = f"the configuration '{printable(str(path))}'"
    try:
        return convert(tomllib.loads(path.read_text()), name)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {reason(error)}: check its path") from None
    except ValueError as error:  # not TOML, not UTF-8
        raise UsageError(f"{name} is not TOML: {printable(str(error))}: correct it there") from None


def convert(content: dict[str, Any], name: str) -> ServeSettings:
    """The settings of parsed TOML. Raises UsageError."""
    try:
        return msgspec.convert(content, ServeSettings)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name} is wrong: {printable(str(mistake.of(str(error))))}") from None
