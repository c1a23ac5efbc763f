"""Badge: what it says of which jobs, and that nobody's words become markup."""

from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from schemas.reading import Badge
from sendensed.core import badge
from tests.fakes.jobs import EARLY, a_job

HOUR = timedelta(hours=1)


def jobs(status: str, number: int = 1, **said) -> list:
    """So many jobs in one state."""
    return [a_job(f"{status}-{index}", status=status, **said) for index in range(number)]


def message(active=(), failed=(), last=()) -> tuple[str, str]:
    shown = badge.badge("backups", active, failed, last, EARLY)
    return shown.message, shown.color


def test_it_counts_what_runs_and_takes_the_colour_of_the_worst():
    running, pending, stalled = jobs("running", 7), jobs("pending"), jobs("stalled", 2)
    failed = jobs("failed", completed_at=EARLY - HOUR)
    assert message(running) == ("7 running", "#1d5fa8")
    assert message(pending) == ("1 pending", "#1d5fa8")
    assert message([*running, *stalled]) == ("7 running, 2 stalled", "#8a5000")
    assert message([*running, *pending, *stalled], failed) == (
        "7 running, 1 pending, 2 stalled, 1 failed", "#b32424"
    )  # fmt: skip


def test_a_failure_is_told_for_a_day():
    done = jobs("completed", completed_at=EARLY - HOUR)
    assert message((), jobs("failed", completed_at=EARLY - 23 * HOUR), done)[0] == "1 failed"
    assert message((), jobs("failed", completed_at=EARLY - 24 * HOUR), done)[0].startswith("completed")
    assert message((), jobs("failed", completed_at=None), done)[0].startswith("completed")


def test_where_nothing_runs_the_last_end_is_told():
    at = EARLY.replace(hour=2, minute=14)
    assert message((), (), jobs("completed", completed_at=at)) == (f"completed {at:%Y-%m-%d} 02:14 UTC", "#2c7a4b")
    assert message((), (), jobs("cancelled", completed_at=at))[1] == "#566171"
    assert message() == ("no jobs", "#566171")
    assert message((), (), jobs("completed", completed_at=None))[0] == "no jobs"


def test_of_more_than_it_counts_it_says_that_there_are_more():
    assert message(jobs("running", badge.MOST))[0] == "1,000+ running"


@pytest.mark.parametrize("text", ["backups", "Größe 01", "<script>x</script>\"'&", "a\x01\u202eb", ""])
def test_the_picture_is_well_formed_whatever_its_words(text: str):
    drawn = ET.fromstring(badge.svg(Badge(text, "1 failed", "#b32424")))
    kept = "".join(filter(str.isprintable, text))
    assert drawn.get("aria-label") == f"{kept}: 1 failed"
    assert [one.text or "" for one in drawn.iter("{http://www.w3.org/2000/svg}text")] == [kept, "1 failed"]
    assert {one.tag.rpartition("}")[2] for one in drawn.iter()} == {"svg", "title", "rect", "path", "g", "text"}
