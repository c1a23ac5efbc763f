"""Screen and words: what a terminal shows, and what it never does."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from sendensed.cli import screen, words
from sendensed.core.model import Disk, Job
from sendensed.core.view import job_view

NIGHT = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)


def job(job_id: str = "a", **fields: object):
    known = {"job_type": "backup", "created_at": NIGHT, "last_telemetry_at": NIGHT, "status": "running"}
    return job_view(Job(id=job_id, **{**known, **fields}))


def shown(*jobs: object, lost: float | None = None, ready: bool = True) -> str:
    file = io.StringIO()
    console = Console(file=file, width=150, color_system=None)
    console.print(screen.render(list(jobs), NIGHT + timedelta(seconds=7), lost, ready=ready))
    return file.getvalue()


def test_the_first_line_answers_the_question():
    text = shown(job("a"), job("b", status="stalled"), job("c", status="failed"), job("d", status="failed"))
    assert text.splitlines()[0].rstrip() == "1 running, 1 stalled, 2 failed; last telemetry 7 s ago"
    assert shown().splitlines()[0].rstrip() == "0 running, 0 stalled, 0 failed"


def test_a_running_job_shows_its_disks_and_an_ended_one_its_end():
    disks = (
        Disk(0, 2**30, 2**31, 50.0, "running"),
        Disk(1, 0, 0, None, "pending"),
    )
    text = shown(
        job("a", vm_name="web01", disks=disks, bytes_transferred=2**30, total_bytes=2**31, total_kind="allocated")
    )
    assert "web01" in text
    assert "1 GiB / 2 GiB allocated" in text
    assert "disk 0" in text
    assert "disk 1" in text
    ended = shown(job("a", status="completed", disks=disks, completed_at=NIGHT))
    assert "✓ completed" in ended
    assert "disk 0" not in ended


def test_an_error_stands_on_a_line_of_its_own_without_what_steers_a_terminal():
    text = shown(job("a", status="failed", error_message="no space\x1b[2J left\u202e"))
    assert "✗ a: no space\N{REPLACEMENT CHARACTER}[2J left\N{REPLACEMENT CHARACTER}" in text
    assert "\x1b" not in text


def test_a_lost_feed_and_a_hub_without_database_are_said():
    assert "live feed lost 5 s ago; the numbers are as of then" in shown(job(), lost=5)
    assert "the hub cannot reach its database" in shown(job(), ready=False)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        (2**20, "1 MiB"),
        (3.5 * 2**30, "3.5 GiB"),
        (2**63, "8192 PiB"),
    ],
)
def test_sizes_are_binary_with_three_digits(count: float, text: str):
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.0, "0.0 %"), (62.39, "62.3 %"), (99.99, "99.9 %"), (100.0, "100.0 %")]
)
def test_percents_are_rounded_down(value: float | None, text: str):
    assert words.percent(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59.9, "59 s"), (312, "5 m 12 s"), (7_505, "2 h 05 m")]
)
def test_durations_are_told_in_two_units(seconds: float, text: str):
    assert words.duration(seconds) == text


def test_the_time_left_is_a_number_or_its_reason():
    assert words.time_left(job(eta_seconds=90)) == "1 m 30 s"
    assert words.time_left(job(eta_reason="unknown_total")) == "total unknown"
    assert words.time_left(job(status="completed", eta_seconds=0)) == ""
    assert words.heard(job(last_telemetry_at=None), NIGHT) == "never"
