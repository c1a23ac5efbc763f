"""Jobs, disks and events as stores may get them: one plain example of each, and any at all."""

from datetime import UTC, datetime
from typing import get_args

from hypothesis import strategies as st

from schemas.job import EtaBasis, EtaReason
from sendensed.core.model import Disk, Event, Job, Meter, Point, Prediction

INT64 = 2**63 - 1
EARLY = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def a_job(job_id: str = "backup-web-1", **fields) -> Job:
    return Job(**{"id": job_id, "job_type": "backup", "created_at": EARLY, **fields})


def an_event(job_id: str = "backup-web-1", detail: str = "said so", **fields) -> Event:
    plain = {
        "at": EARLY,
        "kind": "state",
        "said_by": "sender",
        "status": "running",
        "attempt": 1,
        "sequence": None,
        "bytes_transferred": 0,
        "progress_percent": None,
        "current_phase": "transferring",
    }
    return Event(job_id=job_id, detail=detail, **{**plain, **fields})


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
numbers = st.integers(0, INT64)
floats = st.floats(allow_nan=False, allow_infinity=False)
times = st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC))
states = st.sampled_from(["pending", "running", "stalled", "completed", "failed", "cancelled"])
voices = st.sampled_from(["sender", "reaper", "operator"])
points = st.builds(Point, at=floats, bytes=numbers)
seconds = st.integers(0, 2**31)
predictions = st.builds(
    Prediction, percent=st.sampled_from([25, 50, 75]), at=times, left=seconds, low=seconds, high=seconds
)
disks = st.lists(
    st.builds(
        Disk,
        index=st.integers(0, 2**31 - 1),
        bytes_transferred=numbers,
        total_bytes=numbers,
        progress_percent=st.none() | floats,
        status=text,
        error_message=st.none() | text,
        bottleneck=text,
    ),
    max_size=4,
    unique_by=lambda disk: disk.index,
).map(lambda found: tuple(sorted(found, key=lambda disk: disk.index)))


def jobs(**fixed) -> st.SearchStrategy[Job]:
    fields = {
        "id": text,
        "job_type": text,
        "created_at": times,
        "vm_name": text,
        "backup_type": text,
        "status": states,
        "current_phase": text,
        "bytes_transferred": numbers,
        "total_bytes": numbers,
        "total_kind": text,
        "progress_percent": st.none() | floats,
        "transfer_speed_bps": numbers,
        "eta_seconds": st.none() | numbers,
        "eta_reason": st.none() | st.sampled_from(get_args(EtaReason)),
        "eta_low_seconds": st.none() | numbers,
        "eta_high_seconds": st.none() | numbers,
        "eta_basis": st.none() | st.sampled_from(get_args(EtaBasis)),
        "predictions": st.lists(predictions, max_size=3).map(tuple),
        "error_message": st.none() | text,
        "attempt": st.integers(1, 2**31 - 1),
        "sequence": st.none() | numbers,
        "sender": text,
        "closed_by": st.none() | voices,
        "started_at": st.none() | times,
        "completed_at": st.none() | times,
        "last_telemetry_at": st.none() | times,
        "last_moved_at": st.none() | times,
        "sent_at": st.none() | times,
        "meter": st.builds(
            Meter,
            recent=st.lists(points, max_size=4).map(tuple),
            first=st.none() | points,
            rate=floats,
            samples=st.integers(0, 2**31),
            spacing=floats,
            marks=st.lists(numbers, max_size=3).map(tuple),
        ),
        "disks": disks,
        "serial_disks": st.booleans(),
        "disk_ended_at": st.none() | times,
        "sender_error": st.none() | text,
        "appliance": text,
        "cancel_requested_at": st.none() | times,
        "heard_by": text,
        "not_moving": st.booleans(),
        "event_count": numbers,
        "revision": st.just(0),
    }
    unknown = set(Job.__struct_fields__) ^ set(fields)
    assert not unknown, f"fields that no example has: {unknown}"
    return st.builds(Job, **{**fields, **{name: st.just(value) for name, value in fixed.items()}})


def events(job_id: str) -> st.SearchStrategy[Event]:
    return st.builds(
        Event,
        job_id=st.just(job_id),
        at=times,
        kind=text,
        said_by=voices,
        status=states,
        attempt=st.integers(1, 2**31 - 1),
        sequence=st.none() | numbers,
        bytes_transferred=numbers,
        progress_percent=st.none() | floats,
        current_phase=text,
        detail=text,
    )
