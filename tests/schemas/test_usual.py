"""Usual: the quick reading says of every body what the careful one says."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import fault, telemetry, usual

WIRE = Path(__file__).parents[1] / "wire"
USUAL = {
    "status": "running",
    "current_phase": "transferring",
    "bytes_transferred": 5,
    "total_bytes": 2**63 - 1,
    "progress_percent": 99.5,
    "disks": [
        {"disk_index": 0, "bytes_transferred": 2, "status": "running", "bottleneck": "read"},
        {"disk_index": 3, "bytes_transferred": 3},
    ],
    "timestamp": "2026-11-23T03:14:07+01:00",
    "attempt": 2,
    "sequence": 7,
    "age_ms": 1500,
    "bytes_verified": 4,
    "bytes_to_verify": 9,
}


def reading(parse, content: bytes) -> telemetry.Telemetry | tuple[str, str | None, str]:
    """What one of the readings makes of a body: the update, or the refusal's words."""
    try:
        return parse("backup", "job", content)
    except fault.Invalid as refused:
        return refused.message, refused.field, refused.code


def test_a_usual_body_needs_no_second_reading():
    content = json.dumps(USUAL).encode()
    update = usual._read("backup", "job", content)
    assert update == telemetry.parse("backup", "job", content)
    assert (update.sequence, update.age, update.timestamp.hour) == (7, 1.5, 2)


@pytest.mark.parametrize("name", sorted(path.name for path in WIRE.glob("original-sender-*.ndjson")))
def test_every_recorded_body_is_read_alike(name: str):
    for line in (WIRE / name).read_bytes().splitlines():
        job_id = json.loads(line)["job_id"]
        job_type = json.loads(line)["job_type"]
        assert usual.parse(job_type, job_id, line) == telemetry.parse(job_type, job_id, line)


_NUMBERS = st.one_of(
    st.integers(-3, 400), st.sampled_from([2**31, 2**63 - 1, 2**63, -(2**63), 1e400, -0.0, 0.5, 100.0, 100.1])
)
_TEXTS = st.one_of(
    st.text(max_size=4),
    st.sampled_from(
        (
            "job",
            "backup",
            "running",
            "completed",
            "allocated",
            "read",
            "disk",
            "\x00",
            "\ud800",
            "0001-01-01T00:00:00Z",
        )
    ),
    st.sampled_from(("2026-11-23T02:14:07Z", "2026-11-23T02:14:07", "9999-12-31T23:00:00-05:00")),
)
_SCALARS = st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS)
_DISKS = st.lists(
    st.fixed_dictionaries(
        {"disk_index": st.integers(0, 3)},
        optional=dict.fromkeys(telemetry.DiskBody.__struct_fields__[1:], _SCALARS),
    ),
    max_size=4,
)
_BODIES = st.dictionaries(
    st.sampled_from((*telemetry.TelemetryBody.__struct_fields__, "unknown")),
    st.one_of(_SCALARS, _DISKS, st.dictionaries(st.sampled_from(["message", "code"]), _SCALARS)),
    max_size=5,
)


@given(_BODIES)
@example({"disks": [{"disk_index": 1}, {"disk_index": 0}]})
@example({"disks": [{"disk_index": 1}, {"disk_index": 1}]})
@example({"disks": [{"disk_index": 0, "bytes_transferred": 2**62}, {"disk_index": 1, "bytes_transferred": 2**62}]})
@example({"disks": [{"disk_index": number} for number in range(257)]})
@example({"disks": [{"disk_index": 0, "bottleneck": "read\n"}]})
@example({"sender": "\x00"})
@example({"job_id": "another"})
@example({"job_type": "restore"})
def test_any_body_is_read_alike_or_refused_with_the_same_words(body: dict):
    content = json.dumps({**USUAL, **body}).encode()
    assert reading(usual.parse, content) == reading(telemetry.parse, content)
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert reading(usual.parse, content) == reading(telemetry.parse, content)


@given(st.binary(max_size=60))
@example(b"[" * 100_000)
@example(b'{"unknown": "\xff"}')
def test_what_is_no_json_is_refused_with_the_same_words(content: bytes):
    assert reading(usual.parse, content) == reading(telemetry.parse, content)
