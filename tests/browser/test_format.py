"""How numbers and times read: the page's pure modules, called in the browser."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.stage import ORIGIN, at, job

CASES = json.loads((Path(__file__).parents[1] / "words.json").read_text())


@pytest.fixture
def call(stage, page: Page):
    """`call("format", "bytes", 1024)`: what a function of one of the page's modules returns."""
    stage.open_blank()

    def called(module: str, function: str, *arguments: object) -> object:
        return page.evaluate(
            "async ([address, name, given]) => (await import(address))[name](...given)",
            [f"{ORIGIN}/assets/{module}.js", function, list(arguments)],
        )

    return called


@pytest.mark.parametrize(
    ("function", "name"), [("bytes", "size"), ("percent", "percent"), ("duration", "duration")]
)
def test_sizes_shares_and_durations_are_told_as_by_the_commands(call, function, name):
    cases = CASES[name]
    assert [[given, call("format", function, given)] for given, _ in cases] == cases


def test_numbers_of_things_are_told_as_by_the_commands(call):
    assert [[number, call("format", "count", number, "job")] for number, _ in CASES["count"]] == CASES["count"]


def test_phases_are_counted_as_by_the_commands(call):
    for sender, phase, told in CASES["phase_step"]:
        assert call("words", "phaseStep", job("a", sender=sender, current_phase=phase)) == told


def test_what_is_no_number_is_a_dash_and_not_zero(call):
    assert [call("format", name, None) for name in ("bytes", "speed", "percent", "duration", "clock")] == [
        "\u2013"
    ] * 5
    assert call("format", "speed", -5) == "\u2013"


def test_an_age_is_never_negative(call):
    assert call("format", "age", 5_000, 2_000) == "0 s ago"


def test_times_are_in_the_viewers_zone_and_get_a_date_when_they_are_older_than_a_day(call):
    now = call("format", "moment", "2026-11-24T02:14:07Z")
    assert call("format", "clock", now) == "03:14:07"
    assert call("format", "stamp", now) == "2026-11-24 02:14:07 UTC"
    assert call("format", "when", call("format", "moment", "2026-11-23T05:30:00+01:00"), now) == "05:30:00"
    assert call("format", "when", call("format", "moment", "2026-11-21T04:30:00Z"), now) == "21 Nov 05:30"
    assert call("format", "when", call("format", "moment", "2025-11-21T04:30:00Z"), now) == "21 Nov 2025 05:30"
    assert call("format", "moment", "yesterday") is None
    assert call("format", "stampRange", now, now + 60_000) == "2026-11-24 02:14:07 to 02:15:07 UTC"
    later = now + 86_400_000
    assert call("format", "stampRange", now, later) == "2026-11-24 02:14:07 to 2026-11-25 02:14:07 UTC"


def test_time_left_is_a_number_or_a_reason_and_never_zero(call):
    def left(**said: object) -> object:
        return call("words", "timeLeft", job("a", **said))["text"]  # type: ignore[index]

    assert left(eta_seconds=75) == "1 min 15 s"
    assert left(eta_seconds=0) == "finalizing"
    assert left(eta_seconds=None, eta_reason="measuring") == "measuring"
    assert left(eta_seconds=None, eta_reason="unknown_total") == "total unknown"
    assert left(eta_seconds=None, eta_reason="finalizing") == "finalizing"
    assert left(eta_seconds=None, eta_reason="stalled", status="stalled") == "stalled"
    assert left(eta_seconds=None, eta_reason=None) == "measuring"
    copied = {"eta_seconds": None, "eta_reason": "verification"}
    assert left(**copied, eta_copy_seconds=75) == "1 min 15 s + verification"
    assert left(**copied, eta_copy_seconds=None) == "verification"
    verifying = {"current_phase": "verifying", "bytes_verified": 1, "bytes_to_verify": 9}
    assert left(**verifying, eta_seconds=None, eta_reason="measuring") == "verifying"
    assert left(**verifying, eta_seconds=75) == "1 min 15 s"


def test_many_changes_of_state_are_told_aloud_as_counts(call):
    def told(*statuses: str) -> object:
        return call(
            "words",
            "announcement",
            [{"job": job(f"vm-{i}", status=s), "was": "running"} for i, s in enumerate(statuses)],
        )

    assert told("failed", "completed") == "vm-0 is failed. vm-1 is completed."
    assert told("failed", *["completed"] * 3) == "4 jobs changed: 1 failed, 3 completed."
    assert told() == ""


def test_each_job_stands_in_one_table_and_a_failure_needs_attention_for_a_day(call):
    jobs = [
        job("runs"),
        job("waits", status="pending"),
        job("stalls", status="stalled"),
        job("stands", last_moved_at=at(-601), not_moving=True),
        job("failed-today", status="failed", completed_at=at(-3_600)),
        job("failed-before", status="failed", completed_at=at(-90_000)),
        job("done", status="completed", completed_at=at(-60)),
    ]
    now = call("format", "moment", at())
    groups: dict = call("groups", "group", jobs, now)  # type: ignore[assignment]
    assert {name: [member["id"] for member in groups[name]] for name in ("attention", "running", "recent")} == {
        "attention": ["stalls", "stands", "failed-today"],
        "running": ["runs", "waits"],
        "recent": ["done", "failed-before"],
    }
    assert call("sentence", "plain", call("groups", "firstLine", groups, now)) == (
        "2 running, 1 pending, 1 stalled, 1 failed, 1 not moving; finish 03:15 to 03:16; last telemetry 2 s ago"
    )
    assert call("groups", "title", groups, False) == "1 failed, 1 stalled · Sendense"
    days = [at(seconds) for seconds in (86_400, 90_000, 180_000)]
    low, *ends = (call("format", "moment", moment) for moment in days)
    said = [{**groups, "finish": {"low": low, "high": end, "without": 3}} for end in ends]
    told = [call("sentence", "plain", call("groups", "firstLine", one, now)) for one in said]
    assert [str(one).split("; ")[1] for one in told] == [
        "finish 25 Nov 03:14 to 04:15 (3 unknown)",
        "finish 25 Nov 03:14 to 26 Nov 05:15 (3 unknown)",
    ]


def test_a_gap_in_telemetry_is_a_gap_in_the_chart_and_says_whose_it_was(stage, page: Page):
    stage.open_blank()
    points = page.evaluate(
        """async ([address, versions]) => {
            const { Traces } = await import(address);
            const traces = new Traces();
            versions.forEach((version, index) => {
              if (version === null) traces.breakOff();
              else traces.add(version, versions[index - 1] ?? undefined);
            });
            return traces.of("a").map((point) => point.cause ?? point.speed);
        }""",
        [
            f"{ORIGIN}/assets/traces.js",
            [
                *(job("a", last_telemetry_at=at(second), transfer_speed_bps=second) for second in (0, 5, 5, 40)),
                None,
                job("a", last_telemetry_at=at(80), transfer_speed_bps=80),
            ],
        ],
    )
    assert points == [0, 5, "no telemetry", 40, "no live feed", 80]
