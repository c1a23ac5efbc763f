"""Real processes killed under load; the full counts are `python -m tests.faults.run NAME --times N`."""

import pytest

from tests.faults.run import FAULTS, kill_and_start, running_hub, under_load


@pytest.mark.parametrize(("name", "times"), [("kills", 10), ("points", 6), ("restarts", 3)])
async def test_nothing_acknowledged_is_lost_and_no_live_job_is_failed(name: str, times: int):
    fault, settings = FAULTS[name]
    async with running_hub(settings) as hub:
        outcome = await under_load(hub, fault, times, seed=7)
    assert outcome.wrong == []
    assert len(outcome.back) == times
    assert outcome.answers["200"] > 50 * times
    assert outcome.jobs > 48


async def test_a_hub_that_acknowledges_before_it_commits_is_found_out():
    async with running_hub("") as hub:
        hub.program = ["tests.faults.hasty_hub"]
        await kill_and_start(hub, 0)
        outcome = await under_load(hub, kill_and_start, 6, seed=7)
    assert any("lost: acknowledged at" in fault or "not there" in fault for fault in outcome.wrong)
