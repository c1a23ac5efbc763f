"""What stands on a job's time axis: what the hub kept, what the feed told, and nothing over what nobody knows."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.stage import NOW, Stage, at, job

MS = int(NOW.timestamp() * 1000)


@pytest.fixture
def line(stage: Stage, page: Page):
    """`line(kept, trace, ...)`: the timeline, with times as seconds from the stage's present."""
    stage.open_blank()

    def made(
        kept: Any = None, trace: Any = (), *, events: Any = (), now: float = 0, live: bool = True, **said: Any
    ) -> dict[str, Any]:
        told = [{"at": MS + second * 1000, "speed": speed, "cause": cause} for second, speed, cause in trace]
        found = page.evaluate(
            """async ([kept, trace, job, now, live, events]) => {
                const { timeline, columns } = await import("/assets/timeline.js");
                const line = timeline({ job, kept, trace, now, live, events });
                return { ...line, columns: columns(line) };
            }""",
            [kept, told, job("a", **said), MS + now * 1000, live, list(events)],
        )
        for stretch in [*found["gaps"], *found["phases"]]:
            stretch["from"], stretch["to"] = (stretch["from"] - MS) / 1000, (stretch["to"] - MS) / 1000
        return found

    return made


def kept(*seconds: float, gaps: Any = (), phases: Any = ()) -> dict[str, Any]:
    """A hub's answer of samples."""
    names = [*phases, *["transferring"] * (len(seconds) - len(phases))]
    samples = [
        {"at": at(second), "attempt": 1, "bytes_transferred": 0, "transfer_speed_bps": 10, "current_phase": name}
        for second, name in zip(seconds, names, strict=True)
    ]
    return {
        "samples": samples,
        "gaps": [{"start": at(start), "end": at(end), "cause": cause} for start, end, cause in gaps],
    }


def gap(start: float, end: float, cause: str) -> dict[str, Any]:
    return {"from": start, "to": end, "cause": cause}


def test_a_gap_of_the_hub_is_drawn_as_a_gap_with_its_cause(line):
    found = line(kept(-100, -95, -20, -15, gaps=[(-95, -20, "hub_away")]), now=-14)
    assert found["gaps"] == [gap(-95, -20, "hub_away")]
    assert found["columns"][1] == [10, 10, None, 10, 10]
    assert found["columns"][0] == sorted(found["columns"][0])


def test_what_the_feed_told_carries_on_what_the_hub_kept_and_never_doubles_it(line):
    found = line(kept(-20, -15), [(-20, 1, None), (-15, 2, None), (-10, 3, None), (-5, 4, None)])
    assert [point["speed"] for point in found["points"]] == [10, 10, 3, 4]
    assert found["gaps"] == []


def test_a_gap_that_was_open_when_it_was_told_ends_with_the_first_word_since(line):
    found = line(kept(-100, -95, gaps=[(-95, -50, "silent")]), [(-10, 3, None)])
    assert found["gaps"] == [gap(-95, -10, "silent")]


def test_a_gap_at_the_right_grows_with_the_hubs_clock_and_keeps_its_cause(line):
    stalled = kept(-100, -95, gaps=[(-95, -50, "stalled")])
    assert line(stalled, status="stalled")["gaps"] == [gap(-95, 0, "stalled")]
    assert line(stalled, status="stalled", now=60)["gaps"] == [gap(-95, 60, "stalled")]


def test_a_job_that_just_fell_silent_has_a_growing_gap_before_the_hub_says_so(line):
    assert line(kept(-20), now=9)["gaps"] == []
    assert line(kept(-20), now=11)["gaps"] == [gap(-20, 11, "silent")]
    assert line(kept(-20), now=11, live=False)["gaps"] == [gap(-20, 11, "unseen")]
    assert line(kept(-20), now=0, status="stalled")["gaps"] == [gap(-20, 0, "stalled")]


def test_a_gap_of_the_page_itself_is_not_laid_upon_the_sender(line):
    trace = [(-60, 1, None), (-60 + 0.001, None, "no live feed"), (-10, 2, None)]
    assert line(None, trace)["gaps"] == [gap(-60 + 0.001, -10, "unseen")]


def test_an_ended_job_has_no_growing_gap_but_the_one_before_its_end(line):
    ended = kept(-400, -395, gaps=[(-395, -80, "stalled")])
    assert line(ended, status="failed", completed_at=at(-80))["gaps"] == [gap(-395, -80, "stalled")]


def test_a_hole_between_what_was_kept_and_what_was_told_is_a_gap(line):
    assert line(kept(-100), [(-10, 3, None)])["gaps"] == [gap(-100, -10, "silent")]


def names(found: dict[str, Any]) -> list[tuple[str, float, float]]:
    return [(one["name"], one["from"], one["to"]) for one in found["phases"]]


def test_phases_stand_from_their_first_sample_to_the_next_ones_where_there_is_no_history(line):
    found = line(kept(-30, -25, -20, phases=["starting", "snapshot"]), [(-10, 3, None)])
    assert names(found) == [("starting", -30, -25), ("snapshot", -25, -20), ("transferring", -20, 0)]


def test_phases_are_the_historys_which_knows_those_too_short_for_a_sample(line):
    def row(second: float, kind: str, phase: str, attempt: int = 1):
        return {"at": at(second), "kind": kind, "current_phase": phase, "attempt": attempt}

    events = [row(-28, "state", "starting"), row(-27, "phase", "snapshot"), row(-26, "phase", "transferring")]
    events += [row(-20, "attempt", "transferring"), row(-20, "state", "starting", 2), row(-15, "disk", "x", 2)]
    whole = line(kept(-40, -25, phases=["waiting"]), events=events)
    assert names(whole) == [
        ("waiting", -40, -28),
        ("starting", -28, -27),
        ("snapshot", -27, -26),
        ("transferring", -26, -20),
        ("starting", -20, 0),
    ]
    assert [one["attempt"] for one in whole["phases"]] == [1, 1, 1, 1, 2]
    ended = line(kept(-40), events=[*events, row(-10, "state", "done", 2)], status="failed", completed_at=at(-10))
    assert names(ended)[-1] == ("starting", -20, -10)


def test_a_job_that_nobody_heard_has_nothing_on_its_axis(line):
    found = line(None, [])
    assert (found["points"], found["gaps"], found["phases"], found["columns"]) == ([], [], [], [[], []])
