"""Screen and words: what a terminal shows, and what it never does."""

import io
from datetime import timedelta

import pytest
from rich.console import Console

from sendensed.cli import screen, words
from sendensed.core.model import Disk
from tests.sendensed.cli.views import NIGHT, job


def shown(*jobs: object, lost: float | None = None, ready: bool = True, width: int = 150) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None)
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
    assert "1.0 GiB / 2.0 GiB allocated" in text
    assert "disk 0" in text
    assert "disk 1" in text
    ended = shown(job("a", status="completed", disks=disks, completed_at=NIGHT))
    assert "✓ completed" in ended
    assert "disk 0" not in ended


@pytest.mark.parametrize(
    ("width", "wanted"),
    [
        (150, "machine state phase progress done copied speed left heard"),
        (100, "machine state progress done copied speed left"),
        (80, "machine state progress done speed left"),
        (60, "machine state done speed left"),
        (24, "machine state"),
        (10, "machine"),
    ],
)
def test_a_narrow_terminal_shows_fewer_columns_and_never_half_of_one(width: int, wanted: str):
    disks = (Disk(0, 2**30, 2**31, 50.0, "running"), Disk(1, 0, 0, None, "pending"))
    copied = {"bytes_transferred": 2**30, "total_bytes": 2**31, "total_kind": "allocated"}
    text = shown(job("a", vm_name="web01", eta_seconds=720, disks=disks, **copied), width=width)
    heading, line, *more = text.splitlines()[1 if width > 50 else -4 :][:4]
    assert heading.split() == wanted.split()
    assert line.startswith("web01")
    assert more[0].startswith("  disk 0")
    assert "\N{HORIZONTAL ELLIPSIS}" not in text


def test_a_bar_takes_the_room_that_is_left_and_a_long_name_is_cut():
    heading, line = shown(job("a" * 200), width=250).splitlines()[1:3]
    assert line.startswith("a" * 39 + "\N{HORIZONTAL ELLIPSIS}  ")
    assert heading.index("done") - heading.index("progress") == 40 + 2 + 2


def test_a_job_that_does_not_move_is_seen_to():
    assert "▶ not moving" in shown(job("a", not_moving=True))


def test_an_error_stands_on_a_line_of_its_own_without_what_steers_a_terminal():
    text = shown(job("a", status="failed", error_message="no space\x1b[2J left\u202e"))
    assert "✗ a: no space\N{REPLACEMENT CHARACTER}[2J left\N{REPLACEMENT CHARACTER}" in text
    assert "\x1b" not in text


def test_a_lost_feed_and_a_hub_without_database_are_said():
    assert "live feed lost 5 s ago; the numbers are as of then" in shown(job(), lost=5)
    assert "the hub cannot reach its database" in shown(job(), ready=False)


def test_a_phase_is_counted_where_a_run_of_its_sender_is_known():
    assert words.phase(job(sender="clientd/0.1.0", current_phase="verifying")) == "verifying (3 of 3)"
    assert words.phase(job(current_phase="snap\x1b")) == "snap\N{REPLACEMENT CHARACTER}"


def test_the_time_left_is_a_number_or_its_reason():
    assert words.time_left(job(eta_seconds=90)) == "1 min 30 s"
    assert words.time_left(job(eta_reason="unknown_total")) == "total unknown"
    assert words.time_left(job(status="completed", eta_seconds=0)) == ""


def test_ages_are_told_by_the_hubs_clock_and_as_times_where_that_is_not_known():
    later = NIGHT + timedelta(seconds=7)
    assert words.age(None, later) == "never"
    assert words.age(NIGHT, later) == "7 s ago"
    assert words.age(NIGHT, None) == "2026-11-23T02:00:00Z"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, ""), (1.99, "in step"), (-1.1, "in step"), (2, "2 s ahead"), (-190.9, "3 min 10 s behind")],
)
def test_a_clock_is_in_step_ahead_or_behind(seconds: float | None, told: str):
    assert words.skew(seconds) == told


@pytest.mark.parametrize(
    ("percent", "drawn"),
    [(None, "────"), (0, "────"), (12.5, "╸───"), (25, "━───"), (99.9, "━━━╸"), (100, "━━━━"), (150, "━━━━")],
)
def test_a_bar_is_full_at_the_end_alone(percent: float | None, drawn: str):
    assert words.bar(percent, 4) == drawn


def test_the_finish_is_a_range_of_times_with_the_day_where_it_is_another():
    running = job(eta_seconds=3600, eta_low_seconds=3000, eta_high_seconds=4200)
    assert words.finish(running, NIGHT) == "02:50 to 03:10 UTC"
    long = job(eta_seconds=86_400, eta_low_seconds=80_000, eta_high_seconds=90_000)
    assert words.finish(long, NIGHT) == "00:13 to 24 Nov 03:00 UTC"
    assert words.finish(job(), NIGHT) == ""
    assert words.finish(job(status="completed", eta_low_seconds=0, eta_high_seconds=0), NIGHT) == ""


def test_a_job_that_does_not_move_is_said_not_to_and_an_ended_one_how_long_it_took():
    assert words.state(job(not_moving=True)) == "▶ not moving"
    assert words.took(job()) == ""
    assert (
        words.took(job(status="completed", started_at=NIGHT, completed_at=NIGHT + timedelta(hours=2)))
        == "2 h 00 min"
    )
