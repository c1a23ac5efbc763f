"""Ids: what a job id of the original sender tells."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from schemas import codec, feed, ids


@pytest.mark.parametrize(
    ("job_id", "vm_name"),
    [
        ("backup-pgtest1-disk0-20251010-143522", "pgtest1"),
        ("backup-pg-test-1-20251010-143522", "pg-test-1"),
        ("restore-SQL Server 1-20251010-143522", "SQL Server 1"),
        ("backup-tiny-1", ""),
        ("nightly", ""),
    ],
)
def test_the_machine_is_taken_from_an_id_of_the_originals_form(job_id: str, vm_name: str):
    assert ids.vm_name_of(job_id) == vm_name


@pytest.mark.parametrize(
    ("job_id", "job_type"),
    [
        ("backup-a", "backup"),
        ("repl-a", "replication"),
        ("job-a", "replication"),
        ("restore-a", "restore"),
        ("nightly", "backup"),
    ],
)
def test_the_prefix_of_an_id_tells_the_job_type(job_id: str, job_type: str):
    assert ids.job_type_of(job_id) == job_type


def test_times_go_out_in_utc_with_z():
    moment = datetime(2026, 11, 23, 7, 44, 7, 999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert codec.rfc3339(moment) == "2026-11-23T02:14:07Z"
    assert codec.to_utc(moment) == datetime(2026, 11, 23, 2, 14, 7, 999, tzinfo=UTC)


def test_frames_are_told_apart_by_their_type():
    frame = feed.Tick(datetime(2026, 11, 23, tzinfo=UTC), ready=True)
    assert codec.encode(frame) == b'{"type":"tick","time":"2026-11-23T00:00:00Z","ready":true,"alarms":[]}'
    assert feed.decode(codec.encode(frame)) == frame
