"""Real processes killed under load; the full counts are `python -m tests.faults.run NAME --times N`."""

from pathlib import Path

import pytest

from tests.faults.run import AWAY, FAULTS, RARELY, WORKERS, kill_and_start, running_hub, under_load

HASTY = """
import sys

if any("sendensed.cli.worker" in word for word in sys.orig_argv):
    sys.path.insert(0, {!r})
    import tests.faults.hasty_hub
"""
"""What every worker begins with: the bug."""


@pytest.mark.parametrize(("name", "times"), [("kills", 10), ("points", 6), ("restarts", 3)])
async def test_nothing_acknowledged_is_lost_and_no_live_job_is_failed(name: str, times: int):
    fault, settings = FAULTS[name]
    async with running_hub(settings) as hub:
        outcome = await under_load(hub, fault, times, seed=7)
    assert outcome.wrong == []
    assert len(outcome.back) == times
    assert outcome.answers["200"] > 50 * times
    assert outcome.jobs > 48


async def test_jobs_that_live_on_while_there_is_no_hub_for_longer_than_silence_may_last_are_not_failed():
    fault, settings = FAULTS["outages"]
    async with running_hub(settings) as hub:
        outcome = await under_load(hub, fault, 2, seed=7, pause=RARELY)
    assert outcome.wrong == []
    assert min(outcome.back) > AWAY


async def test_of_three_hubs_any_may_be_killed_and_nothing_acknowledged_is_lost():
    fault, settings = FAULTS["workers"]
    async with running_hub(settings, workers=WORKERS) as hub:
        outcome = await under_load(hub, fault, 6, seed=7)
    assert outcome.wrong == []
    assert outcome.answers["200"] > 1_000
    assert outcome.answers.keys() & {"BrokenResourceError", "OSError"}  # some senders met the killed one


async def test_one_of_three_hubs_that_acknowledges_before_it_commits_is_found_out(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(HASTY.format(str(Path(__file__).parents[2])))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    fault, settings = FAULTS["workers"]
    async with running_hub(settings, workers=WORKERS) as hub:
        outcome = await under_load(hub, fault, 6, seed=7)
    assert any("lost: acknowledged at" in one or "not there" in one for one in outcome.wrong)


@pytest.mark.parametrize(("name", "times"), [("locks", 5), ("slow", 1)])
async def test_a_table_that_is_locked_or_slow_costs_no_acknowledged_update_and_no_live_job(name: str, times: int):
    fault, settings = FAULTS[name]
    async with running_hub(settings) as hub:
        outcome = await under_load(hub, fault, times, seed=7)
    assert outcome.wrong == []
    assert len(outcome.back) == times
    assert set(outcome.answers) <= {"200", "503"}  # and none came too late


async def test_a_hub_that_acknowledges_before_it_commits_is_found_out():
    async with running_hub("") as hub:
        hub.program = ["tests.faults.hasty_hub"]
        await kill_and_start(hub, 0)
        outcome = await under_load(hub, kill_and_start, 6, seed=7)
    assert any("lost: acknowledged at" in fault or "not there" in fault for fault in outcome.wrong)
