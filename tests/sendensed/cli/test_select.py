"""Select: the same jobs are meant by the question to the hub and by the look at one job."""

from datetime import UTC, datetime, timedelta

import pytest

from sendensed.cli import parser, select
from sendensed.cli.select import Selection
from tests.sendensed.cli.views import NIGHT, job


def selected(*words: str) -> Selection:
    return select.of(parser.parser().parse_args(["jobs", *words]), lambda: NIGHT)


def test_what_is_not_said_selects_all():
    assert selected().is_all
    assert selected().query() == []
    assert selected().wants(job())


def test_every_selector_becomes_a_question_to_the_hub():
    wanted = selected(
        "--status", "running,stalled", "--status", "running", "--type", "backup", "--machine", "web01",
        "--appliance", "site", "-q", "eb", "--since", "2h", "--until", "2026-11-24",
    )  # fmt: skip
    assert wanted.query() == [
        ("status", "running"),
        ("status", "stalled"),
        ("type", "backup"),
        ("machine", "web01"),
        ("appliance", "site"),
        ("q", "eb"),
        ("from", "2026-11-23T00:00:00Z"),
        ("to", "2026-11-24T00:00:00Z"),
    ]
    assert wanted.feed() == [("status", "running"), ("status", "stalled"), ("type", "backup")]
    assert wanted.in_any_state().feed() == [("type", "backup")]
    assert not wanted.is_all


@pytest.mark.parametrize(
    ("words", "wants"),
    [
        (["--status", "running"], True),
        (["--status", "failed,stalled"], False),
        (["--type", "restore"], False),
        (["--machine", "web01"], True),
        (["--machine", "web"], False),
        (["--appliance", "other"], False),
        (["-q", "WEB"], True),
        (["-q", "ID-1"], True),
        (["-q", "ID-2"], False),
        (["--since", "2026-11-23T02:00:00"], True),
        (["--since", "2026-11-23T02:00:01"], False),
        (["--until", "2026-11-23T02:00:00"], False),
    ],
)
def test_one_job_is_looked_at_as_the_hub_would(words: list[str], wants: bool):
    assert selected(*words).wants(job("id-1", vm_name="Web01" if "WEB" in words else "web01")) is wants


def test_the_clock_is_asked_only_for_how_long_ago_and_no_time_is_too_long_ago():
    def no_clock() -> datetime:
        raise AssertionError

    options = parser.parser().parse_args(["jobs", "--since", "2026-11-23"])
    assert select.of(options, no_clock).since == NIGHT.replace(hour=0)
    options = parser.parser().parse_args(["jobs", "--since", "3600d"])
    young = datetime(2, 1, 1, tzinfo=UTC)
    assert select.of(options, lambda: young).since == datetime(1, 1, 1, tzinfo=UTC)
    assert select.of(options, lambda: NIGHT).since == NIGHT - timedelta(days=3600)
