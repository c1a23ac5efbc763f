"""Attempts: whenever clientd is killed and whatever becomes of its target, no copy is completed that differs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import attempts


async def conclusive(folder: Path, fault: str, told: Callable[[attempts.Ended], object]) -> list[attempts.Ended]:
    """Runs, each of which ends completed and equal, until one tells what was looked for; four at the most."""
    found = []
    for number in range(4):
        (folder / str(number)).mkdir()
        found.append(await attempts.run(number, fault, folder / str(number)))
        assert (found[-1].status, found[-1].same) == ("completed", True), number
        if told(found[-1]):
            break
    return found


@pytest.mark.parametrize("fault", attempts.KILLS)
async def test_a_client_killed_at_any_moment_goes_on_with_what_is_done_and_costs_no_byte(tmp_path, fault):
    ended = await conclusive(tmp_path, fault, lambda one: one.resumed)
    assert any(one.resumed for one in ended)


@pytest.mark.parametrize("fault", attempts.TAMPERINGS)
async def test_a_target_that_was_tampered_with_between_attempts_is_never_completed_as_it_is(tmp_path, fault):
    why = {"missing": "ENOENT", "byte": "a verification found that the copy differed"}
    ended = await conclusive(tmp_path, fault, lambda one: one.reasons)
    reasons = [reason for one in ended for reason in one.reasons]
    assert any(why.get(fault, "the target is not as it was left") in reason for reason in reasons)
