"""Config: every default of the hub, once, each with its unit and its reason; and the file that overrides them.

An unknown key, or a value of the wrong kind, stops the start and names its path.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sendensed.core import alarm, auth, health, retention, staleness
from sendensed.core.conflate import Room
from sendensed.core.rate import Rate
from sendensed.errors import ConfigError

Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Count = Annotated[int, Meta(ge=1)]
WORKERS_MOST = 32
"""Hub processes under one parent: each has its own database connections."""
Days = Annotated[int, Meta(ge=1, le=3_650)]


class Reaper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When silence becomes a verdict; all in seconds. `[reaper]`"""

    stall_after: Seconds = 60.0
    """Twelve missed beats of a sender that speaks every 5 s."""
    fail_after: Seconds = 300.0
    """Longer than a reboot of the appliance's network."""
    period: Seconds = 15.0
    """Longest time between two looks; a deadline that falls between is looked at when it is due. A look is for
    what falls due before the next one: with 45 s of silence or more in mind it reads no job that is well
    (`store.rows.MARK`)."""
    beat: Annotated[float, Meta(gt=0, le=5)] = 5.0
    """How often the hub proves, through the writer's queue, that it can hear."""

    gap: Seconds = 15.0
    """Three missed beats: beyond, a hub may not have heard, and its jobs get their grace again."""
    step: Seconds = 5.0
    """The database's clock may move by this much between two beats; more restarts the grace as well."""
    gone_after: Seconds = 900.0
    """A hub silent for so long has gone: jobs that it was the last to hear may then be failed by others."""
    unmoved_after: Seconds = 600.0
    """A job that is heard but has not moved for so long is shown as such; a busy source may pause for minutes."""
    mass_jobs: Count = 3
    """Fewer silent jobs than this are their own misfortune."""
    mass_share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """When more than this share of the active jobs is silent, the network is suspected and nobody is failed."""
    mass_hold: Seconds = 900.0
    """How long failures are held back then: a switch is replaced or a tunnel is up again by that time."""

    @property
    def limits(self) -> staleness.Limits:
        """The part that the verdict itself rests on."""
        return staleness.Limits(self.stall_after, self.fail_after, self.gone_after, self.unmoved_after, self.gap)

    @property
    def health(self) -> health.Limits:
        """When a hub's own hearing counts as broken."""
        return health.Limits(self.gap, self.step)

    @property
    def mass(self) -> alarm.Limits:
        """When silence is nobody's own."""
        return alarm.Limits(self.mass_jobs, self.mass_share, self.mass_hold)


class Writer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The batched writer. `[writer]`"""

    queue: Count = 4_096
    """Updates that may wait; beyond, senders are told to come back (503)."""
    queue_bytes: Annotated[int, Meta(ge=4 * 2**20)] = 32 * 2**20
    """Bytes of them that may wait: eight of the largest batches, or a full queue of 8 KiB each."""
    conflate: Annotated[float, Meta(gt=0, le=1)] = 0.8
    """How full the queue is when waiting progress gives way to newer progress of the same job."""
    progress: Annotated[float, Meta(gt=0, le=1)] = 0.9
    """How full it may get with progress; the rest is kept for the ends of jobs."""
    lag: Seconds = 1.0
    """How far the event loop may be behind before updates are refused unread: a tenth of what senders wait."""
    batch: Count = 1_000
    """Most updates in one transaction: the rate per update is flat from 500 on."""
    cache: Count = 20_000
    """Jobs kept in memory, a few KiB each; others are read when telemetry comes."""
    patience: Seconds = 6.0
    """How long a batch is tried again while the database is away, before its senders get 503."""
    drain: Seconds = 10.0
    """How long a stopping hub may take to commit what it holds."""

    @property
    def room(self) -> Room:
        """How much may wait."""
        return Room(self.queue, self.queue_bytes, self.conflate, self.progress)


class Feed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The live feed. `[feed]`"""

    heartbeat: Seconds = 5.0
    """Seconds between two ticks."""
    pace: Seconds = 0.1
    """Shortest time between two frames to a viewer: faster than an eye, slower than the commits."""
    reread: Seconds = 1.0
    """How often other hubs' commits are looked for, were their hints lost."""
    viewers: Count = 1_000
    """Viewers at once; more are told to come back."""
    write_deadline: Seconds = 10.0
    """A viewer that takes no bytes for this long is cut off (close code 1013)."""
    unsent: Annotated[int, Meta(ge=2**20)] = 64 * 2**20
    """Bytes of frames that viewers have not taken yet, of all viewers, each frame counted once: sixty snapshots of
    a thousand jobs. Beyond, those are cut off who hold the most for themselves."""


class History(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long what happened is kept. `[history]`"""

    events: Days = 90
    """Days that a job's events are kept; the job itself stays."""
    samples: Days = 90
    """Days that the points of charts are kept: what a year's quarter is compared with."""
    whole: Days = 7
    """Days of which all points are kept, one in 5 s; older ones are thinned to one a minute."""
    period: Seconds = 3600.0
    """Seconds between two looks at what is to be made, thinned and dropped; days are made three ahead."""

    @property
    def limits(self) -> retention.Limits:
        """The part that the decision rests on."""
        return retention.Limits(self.events, self.samples, self.whole)


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who comes in, and by which name. `[access]`"""

    hosts: tuple[str, ...] = ()
    """Names that the hub is asked by, besides localhost and the address it listens on: its DNS names."""
    origins: tuple[str, ...] = ()
    """Origins of its page besides its own, such as https://hub.example behind a proxy that ends TLS."""
    session: Seconds = 43_200.0
    """How long a browser stays signed in: a working day."""
    rate: Annotated[float, Meta(gt=0)] = 500.0
    """Updates a second of one appliance: 2,500 jobs that speak every 5 s; more are told to wait (429)."""
    burst: Count = 2_000
    """Updates of one appliance at once after a pause: two batches."""

    @property
    def pace(self) -> Rate:
        """How many updates an appliance may send."""
        return Rate(self.rate, self.burst)


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The certificate; both or neither. SIGHUP reads the files again. `[tls]`"""

    certificate: str = ""
    """PEM file with the certificate and its chain; '' serves plaintext."""
    key: str = ""
    """PEM file with its key."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. The command line overrides `listen`, `workers`, `state_dir`, `database`, `open` and
    `allow_plaintext`.
    """

    listen: str = "127.0.0.1:8082"
    """HOST:PORT. The original sender's tunnel ends at port 8082."""
    workers: Annotated[int, Meta(ge=1, le=WORKERS_MOST)] = 1
    """Hub processes at one address; one keeps a core busy at some 7,000 updates a second."""
    hung_after: Seconds = 30.0
    """A worker whose writer gave no sign of life for so long, six beats, is killed and started again."""
    hub: str = ""
    """The hub's name among those on one database, the same after a restart; '' is HOST:PORT of this machine."""
    open: bool = False
    """Nobody needs a token; loopback addresses only."""
    allow_plaintext: bool = False
    """Listens beyond the loopback without TLS: tokens then travel readable, so only inside a tunnel or VPN."""
    legacy_listen: str = ""
    """HOST:PORT, loopback only, for senders that know no token; '' for none."""
    legacy_appliance: str = ""
    """The appliance that they speak for."""
    state_dir: str = ""
    """Where the embedded PostgreSQL lives; '' is the service's own, or one in the user's home."""
    database: str = ""
    """DSN of a PostgreSQL 15 or newer; '' runs the embedded one."""
    pool: Count = 9
    """Database connections: a third is for those who read; of the others up to three write and one listens."""
    answer_deadline: Seconds = 8.5
    """Senders give up at 10 s; an answer, or 503, comes before."""
    reaper: Reaper = Reaper()
    writer: Writer = Writer()
    feed: Feed = Feed()
    history: History = History()
    access: Access = Access()
    tls: Tls = Tls()


def load(path: Path | None) -> Config:
    """The configuration of a TOML file; the defaults without one.

    Raises ConfigError with the file, the key's path and what is wrong.
    """
    if path is None:
        return Config()
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}; check --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration {path} is not TOML: {error}; correct it there") from None
    return convert(content, str(path))


def convert(content: dict[str, Any], origin: str) -> Config:
    """The configuration of parsed TOML. Raises ConfigError, naming the key's path."""
    try:
        config = msgspec.convert(content, Config)
    except msgspec.ValidationError as error:
        said = str(error).replace("`", "'").replace("$.", "")
        raise ConfigError(
            f"the configuration {origin} is wrong: {said}; docs/operations.md has the settings"
        ) from None
    wrong = f"the configuration {origin} is wrong:"
    _check_times(config, wrong)
    _check_doors(config, wrong)
    return config


def _check_times(config: Config, wrong: str) -> None:
    """Raises ConfigError where times do not go together."""
    reaper = config.reaper
    if reaper.fail_after <= reaper.stall_after:
        raise ConfigError(
            f"{wrong} reaper.fail_after ({reaper.fail_after:g} s) must be longer than reaper.stall_after "
            f"({reaper.stall_after:g} s)"
        )
    if config.hung_after < 3 * reaper.beat:
        raise ConfigError(
            f"{wrong} hung_after ({config.hung_after:g} s) must be at least three reaper.beat ({reaper.beat:g} s)"
        )


def _check_doors(config: Config, wrong: str) -> None:
    """Raises ConfigError where settings of the hub's addresses do not go together."""
    if bool(config.tls.certificate) != bool(config.tls.key):
        raise ConfigError(f"{wrong} tls.certificate and tls.key belong together; one of them is missing")
    if config.legacy_listen:
        if problem := auth.name_problem(config.legacy_appliance):
            raise ConfigError(f"{wrong} legacy_listen needs legacy_appliance, a name that {problem}")
    elif config.legacy_appliance:
        raise ConfigError(f"{wrong} legacy_appliance is for senders at legacy_listen, which is missing")
