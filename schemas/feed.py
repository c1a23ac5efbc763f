"""Feed: the frames of the live feed, websocket `GET /api/v1/feed`. Each is one JSON text message."""

from datetime import datetime

import msgspec

from schemas.job import JobView

PROTOCOL = 1


class Hello(msgspec.Struct, frozen=True, tag="hello", tag_field="type"):
    """First frame: who speaks, and how often a tick comes at least (seconds)."""

    hub: str
    heartbeat: float
    protocol: int = PROTOCOL


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot", tag_field="type"):
    """Every matching job at `sequence`."""

    sequence: int
    jobs: tuple[JobView, ...]


class Changes(msgspec.Struct, frozen=True, tag="changes", tag_field="type"):
    """The jobs changed up to `sequence`, each whole."""

    sequence: int
    jobs: tuple[JobView, ...]


class AlarmView(msgspec.Struct, frozen=True):
    """An open alarm of all hubs: what (`mass_silence`), since when, which hub raised it, and the evidence."""

    kind: str
    since: datetime
    raised_by: str
    detail: str


class Tick(msgspec.Struct, frozen=True, tag="tick", tag_field="type"):
    """Every heartbeat: the hub's clock, by which ages are counted, whether its database answers, open alarms."""

    time: datetime
    ready: bool
    alarms: tuple[AlarmView, ...] = ()


class Resync(msgspec.Struct, frozen=True, tag="resync", tag_field="type"):
    """The position asked for is lost; a snapshot follows."""


class Bye(msgspec.Struct, frozen=True, tag="bye", tag_field="type"):
    """The hub is going; come back after so many seconds."""

    after: float


Frame = Hello | Snapshot | Changes | Tick | Resync | Bye

decode = msgspec.json.Decoder(Frame).decode
