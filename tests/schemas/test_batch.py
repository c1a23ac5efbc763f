"""Batch: each row is read for itself; only what is no batch at all is refused whole."""

import json

import pytest

from schemas import batch
from schemas.fault import Invalid
from schemas.telemetry import BODY_BYTES

GOOD = {"job_type": "backup", "job_id": "a", "status": "running", "bytes_transferred": 5}


def body(*rows) -> bytes:
    return json.dumps({"updates": rows}).encode()


def test_rows_come_in_their_order_with_their_sizes():
    rows = batch.parse(body(GOOD, {**GOOD, "job_id": "b c/%", "sequence": 7}))
    assert [(row.update.job_id, row.update.sequence) for row in rows] == [("a", None), ("b c/%", 7)]
    assert rows[0].size == len(json.dumps(GOOD))
    assert batch.parse(b'{"updates":[]}') == []


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        ({}, "updates[1]", "invalid"),
        (5, "updates[1]", "invalid"),
        ({"job_type": "backup"}, "updates[1]", "invalid"),
        ({**GOOD, "job_id": ""}, "updates[1].job_id", "invalid"),
        ({**GOOD, "job_type": "X"}, "updates[1].job_type", "invalid"),
        ({**GOOD, "bytes_transferred": -1}, "updates[1].bytes_transferred", "invalid"),
        ({**GOOD, "vm_name": "a\0"}, "updates[1].vm_name", "invalid"),
        ({**GOOD, "disks": [{"disk_index": 0}, {"disk_index": 0}]}, "updates[1].disks[1].disk_index", "invalid"),
        ({**GOOD, "padding": "x" * BODY_BYTES}, "updates[1]", "too_large"),
    ],
)
def test_a_bad_row_is_told_by_its_place_and_hurts_no_other(row, field, code):
    before, bad, after = batch.parse(body(GOOD, row, GOOD))
    assert before.update.job_id == after.update.job_id == "a"
    assert isinstance(bad.update, Invalid)
    assert (bad.update.field, bad.update.code) == (field, code)
    assert bad.update.message.startswith("updates[1]: ")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b'{"updates":[{}', "malformed"),
        (b"\xff", "malformed"),
        (b'{"updates":[' * 10_000, "malformed"),
        (b'{"updates":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "malformed"),
        (b"[]", "invalid"),
        (b"{}", "invalid"),
        (b'{"updates":{}}', "invalid"),
        (body(*[{}] * (batch.ROWS + 1)), "invalid"),
    ],
)
def test_what_is_no_batch_is_refused_whole(content, code):
    with pytest.raises(Invalid) as refused:
        batch.parse(content)
    assert refused.value.code == code


def test_a_row_nested_too_deeply_is_a_bad_row_or_no_batch_but_never_a_crash():
    deep = b'{"updates":[{"job_type":"backup","job_id":"a","disks":' + b"[" * 5_000 + b"]" * 5_000 + b"}]}"
    try:
        [row] = batch.parse(deep)
    except Invalid as refused:
        assert refused.code == "malformed"
    else:
        assert isinstance(row.update, Invalid)
