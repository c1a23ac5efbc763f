"""Sna: the legacy body, as the recorded original wrote it."""

from pathlib import Path

import msgspec
import pytest

from clientd.core import sna
from schemas import codec
from schemas.sna import SnaProgress
from schemas.telemetry import ErrorBody, TelemetryBody

RECORDED = [msgspec.json.decode(line) for line in Path("tests/wire/sna-progress.ndjson").read_bytes().splitlines()]


def told(**fields) -> dict:
    return msgspec.json.decode(codec.encode(sna.progress(TelemetryBody(**fields))))


def test_a_transfer_is_told_as_the_original_tells_it():
    body = {"backup_type": "full", "status": "running", "current_phase": "transferring"}
    assert told(**body, bytes_transferred=0) == RECORDED[2]
    moved = told(
        **body,
        bytes_transferred=3355443200,
        total_bytes=107374182400,
        transfer_speed_bps=33434535421,
        progress_percent=3.125,
    )
    assert moved == {**RECORDED[3], "sync_type": "initial"}


def test_an_end_is_told_as_the_original_tells_it():
    end = told(
        status="completed",
        current_phase="finalizing",
        bytes_transferred=107374182400,
        total_bytes=107374182400,
        progress_percent=100.0,
    )
    assert end == RECORDED[4]
    assert codec.encode(sna.progress(TelemetryBody(progress_percent=100.0))).endswith(b'"percent":100}')


@pytest.mark.parametrize(
    ("phase", "stage"),
    [
        ("starting", "Initializing"),
        ("verifying", "Transfer"),
        (None, "Transfer"),
    ],
)
def test_phases_have_the_original_s_names(phase, stage):
    assert told(current_phase=phase)["stage"] == stage


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_what_did_not_complete_has_failed_and_says_why(status):
    body = told(status=status, error="disk 0: no space", backup_type="incremental", transfer_speed_bps=-1)
    assert (body["status"], body["error_message"], body["sync_type"]) == (
        "failed",
        "disk 0: no space",
        "incremental",
    )
    assert body["throughput_bps"] == 0
    assert "error_message" not in told(status=status, error=ErrorBody("not ours"))


def test_all_that_is_told_is_of_the_schema():
    for line in RECORDED:
        msgspec.convert(line, SnaProgress)
    msgspec.convert(told(status="running"), SnaProgress)
