"""Telemetry: the contract's body, read strictly and written back as senders write it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec, fault, sna, telemetry

WIRE = Path(__file__).parents[1] / "wire"


def recorded(name: str) -> list[bytes]:
    return (WIRE / name).read_bytes().splitlines()


def read(content: bytes, job_id: str = "job") -> telemetry.Telemetry:
    return telemetry.parse("backup", job_id, content)


def refusal(content: bytes) -> fault.Invalid:
    with pytest.raises(fault.Invalid) as caught:
        read(content)
    return caught.value


@pytest.mark.parametrize("name", sorted(path.name for path in WIRE.glob("original-sender-*.ndjson")))
def test_every_recorded_body_of_the_original_sender_is_accepted_as_it_is(name: str):
    lines = recorded(name)
    assert lines
    for line in lines:
        said = json.loads(line)
        update = telemetry.parse(said["job_type"], said["job_id"], line)
        assert update.status == said["status"]
        assert update.current_phase == said["current_phase"]
        assert update.bytes_transferred == said["bytes_transferred"]
        assert update.total_bytes == said["total_bytes"]
        assert update.transfer_speed_bps == said["transfer_speed_bps"]
        assert update.progress_percent == said["progress_percent"]
        assert update.timestamp == datetime.fromisoformat(said["timestamp"])
        assert update.sequence is None


def test_the_recorded_failure_keeps_its_message_to_the_letter():
    [line] = recorded("original-sender-failed.ndjson")
    update = telemetry.parse("backup", json.loads(line)["job_id"], line)
    assert update.error == 'disk read <failed> & "quoted"'
    assert update.timestamp == datetime(2026, 11, 23, 12, 7, 20, tzinfo=UTC)


def test_recorded_sna_progress_is_written_back_to_the_byte():
    lines = recorded("sna-progress.ndjson")
    assert len(lines) == 5
    assert [codec.encode(sna.decode(line)) for line in lines] == lines


@pytest.mark.parametrize(
    ("written", "error"),
    [
        (b'"disk is gone"', "disk is gone"),
        (b'{"message":"disk is gone","code":"EIO","timestamp":"x"}', "disk is gone"),
        (b'{"code":"EIO"}', "EIO"),
        (b'{"code":5}', "5"),
        (b"{}", ""),
        (b'""', ""),
        (b"null", ""),
    ],
)
def test_an_error_may_be_a_string_an_object_or_null(written: bytes, error: str):
    assert read(b'{"status":"failed","error":' + written + b"}").error == error


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"job_id":"","job_type":"","status":"","current_phase":"","timestamp":"","total_kind":""}',
        b'{"job_id":null,"status":null,"disks":null,"error":null,"timestamp":null,"attempt":null,"sequence":null}',
        b'{"disks":[]}',
        b'{"of":"the future","nested":{"deep":[1,2,{"x":null}]}}',
    ],
)
def test_missing_empty_null_and_unknown_fields_say_nothing(content: bytes):
    assert read(content) == telemetry.Telemetry(job_type="backup", job_id="job")


def test_odd_numbers_of_the_field_are_read_as_what_they_mean():
    update = read(b'{"progress_percent":150,"eta_seconds":-5,"transfer_speed_bps":-1,"age_ms":1500}')
    assert (update.progress_percent, update.transfer_speed_bps, update.age) == (100.0, 0, 1.5)
    assert read(b'{"progress_percent":-3}').progress_percent == 0
    for absurd in (b"-9e30", b"26.0", b"99999999999999999999"):
        assert read(b'{"status":"completed","eta_seconds":' + absurd + b"}").status == "completed"


def test_disks_come_out_in_the_order_of_their_index():
    update = read(
        b'{"disks":[{"disk_index":3,"bytes_transferred":7,"progress_percent":140,"status":"running"},'
        b'{"disk_index":0,"total_bytes":9,"error_message":"x"}]}'
    )
    assert update.disks == (
        telemetry.Disk(0, 0, 9, 0.0, "", "x"),
        telemetry.Disk(3, 7, 0, 100.0, "running", ""),
    )


def test_a_bottleneck_is_one_of_three_words_and_any_other_is_passed_over():
    update = read(
        b'{"disks":[{"disk_index":0,"bottleneck":"write"},{"disk_index":1,"bottleneck":"\\u0000"},{"disk_index":2}]}'
    )
    assert [disk.bottleneck for disk in update.disks] == ["write", "", ""]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"status":"done"}', "status"),
        (b'{"status":"stalled"}', "status"),
        (b'{"bytes_transferred":-1}', "bytes_transferred"),
        (b'{"bytes_transferred":9223372036854775808}', "bytes_transferred"),
        (b'{"bytes_transferred":1e400}', "bytes_transferred"),
        (b'{"bytes_transferred":"5"}', "bytes_transferred"),
        (b'{"total_bytes":1.5}', "total_bytes"),
        (b'{"transfer_speed_bps":9223372036854775808}', "transfer_speed_bps"),
        (b'{"eta_seconds":"soon"}', "eta_seconds"),
        (b'{"progress_percent":1e400}', "progress_percent"),
        (b'{"progress_percent":"5"}', "progress_percent"),
        (b'{"attempt":0}', "attempt"),
        (b'{"sequence":-1}', "sequence"),
        (b'{"age_ms":-1}', "age_ms"),
        (b'{"total_kind":"guessed"}', "total_kind"),
        (b'{"error":5}', "error"),
        (b'{"error":{"message":5}}', "error.message"),
        (b'{"error":"\\u0000"}', "error"),
        (b'{"current_phase":"a\\u0000b"}', "current_phase"),
        (b'{"vm_name":"\\u0000"}', "vm_name"),
        (b'{"disks":{}}', "disks"),
        (b'{"disks":[{"disk_index":0},{"disk_index":-1}]}', "disks[1].disk_index"),
        (b'{"disks":[{}]}', "disks[0]"),
        (b'{"disks":[{"disk_index":1},{"disk_index":1}]}', "disks[1].disk_index"),
        (b'{"disks":[{"disk_index":1,"error_message":"\\u0000"}]}', "disks[0].error_message"),
        (b'{"disks":[{"disk_index":1,"status":"\\u0000"}]}', "disks[0].status"),
        (
            b'{"disks":[{"disk_index":1,"bytes_transferred":9223372036854775807},'
            b'{"disk_index":2,"bytes_transferred":1}]}',
            "disks",
        ),
        (b'{"disks":[' + b",".join(b'{"disk_index":%d}' % n for n in range(257)) + b"]}", "disks"),
        (b'{"timestamp":"yesterday"}', "timestamp"),
        (b'{"timestamp":"2026-11-23T02:14:07"}', "timestamp"),
        (b'{"job_id":"other"}', "job_id"),
        (b'{"job_type":"restore"}', "job_type"),
    ],
)
def test_a_value_outside_the_contract_is_refused_with_its_path(content: bytes, field: str):
    refused = refusal(content)
    assert refused.field == field
    assert refused.body().error.field == field
    assert refused.message


@pytest.mark.parametrize("content", [b'{"x":"\\u0000"}', b'{"vm_name":"C:\\\\u0000"}'])
def test_nul_where_nothing_is_kept_and_its_name_spelt_out_do_no_harm(content: bytes):
    assert "\x00" not in read(content).vm_name


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}{}",
        b'{"x":NaN}',
        b'{"progress_percent":NaN}',
        b'{"progress_percent":-Infinity}',
        b'{"error":"\\ud800"}',
        b'{"x":"\\ud800"}',
        b'{"error":"\xff"}',
        b'{"x":"\xff"}',
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_object_is_refused_whole(content: bytes):
    assert refusal(content).field is None


@pytest.mark.parametrize(
    "job_id", ["", "x" * 201, "é" * 101, "a\x00b", "a\nb", "a\x7fb", "a\x85b", "lone \ud800 surrogate"]
)
def test_an_impossible_job_id_is_refused(job_id: str):
    with pytest.raises(fault.Invalid) as caught:
        telemetry.parse("backup", job_id, b"{}")
    assert caught.value.field == "job_id"


@pytest.mark.parametrize(
    "job_id", ["x" * 200, "SQL Server (prod) 100% / #1?", "Büro-日本", "' OR 1=1 --", "<b>", ".."]
)
def test_a_job_id_may_be_nearly_anything(job_id: str):
    assert telemetry.parse("backup", job_id, b"{}").job_id == job_id


@pytest.mark.parametrize("job_type", ["", "Backup", "1st", "a" * 33, "back up", "sauvegardé", "a\n"])
def test_an_impossible_job_type_is_refused(job_type: str):
    with pytest.raises(fault.Invalid) as caught:
        telemetry.parse(job_type, "job", b"{}")
    assert caught.value.field == "job_type"


@pytest.mark.parametrize("job_type", ["backup", "verify_only", "gold-copy", "a" * 32])
def test_job_types_are_open_to_new_kinds(job_type: str):
    assert telemetry.parse(job_type, "job", b"{}").job_type == job_type


@pytest.mark.parametrize("written", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+05:30", "1969-12-31T23:59:59Z"])
def test_the_zero_time_of_go_is_no_time(written: str):
    assert read(b'{"timestamp":"' + written.encode() + b'"}').timestamp is None


def test_a_time_beyond_the_calendar_in_utc_is_no_time():
    assert read(b'{"timestamp":"9999-12-31T23:59:59-10:00"}').timestamp is None


def test_an_answer_is_written_with_every_field_and_read_back():
    said = telemetry.Acknowledgement(applied=False, reason="duplicate", timestamp="2026-11-23T02:14:07Z")
    assert json.loads(said.encoded()) == {
        "status": "success",
        "message": "Telemetry received and processed",
        "timestamp": "2026-11-23T02:14:07Z",
        "applied": False,
        "reason": "duplicate",
        "command": "continue",
    }
    assert telemetry.decode_acknowledgement(said.encoded()) == said
    assert b"reason" not in telemetry.Acknowledgement().encoded()


def test_a_body_that_a_sender_writes_leaves_out_what_it_does_not_say():
    body = telemetry.TelemetryBody(status="running", bytes_transferred=0, attempt=1, sequence=0)
    assert codec.encode(body) == b'{"status":"running","bytes_transferred":0,"attempt":1,"sequence":0}'


def test_a_fault_names_its_field_only_where_there_is_one():
    assert codec.encode(fault.Invalid("no", "x").body()) == (
        b'{"error":{"code":"invalid","message":"no","field":"x"}}'
    )
    assert codec.encode(fault.Invalid("no", code="c").body()) == b'{"error":{"code":"c","message":"no"}}'


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(content: bytes):
    try:
        read(content)
    except fault.Invalid as refused:
        assert refused.message


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(
    _LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3)
)


@given(st.dictionaries(st.sampled_from(telemetry.TelemetryBody.__struct_fields__), _VALUES, max_size=6))
def test_any_json_under_the_known_names_is_read_or_refused_and_nothing_else(said: dict[str, object]):
    try:
        update = read(json.dumps(said).encode())
    except fault.Invalid as refused:
        assert refused.message
    else:
        assert 0 <= update.progress_percent <= 100
        assert 0 <= update.bytes_transferred <= telemetry.INT64
