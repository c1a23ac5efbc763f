"""Wait and several: what a job's state means to a script, and one exit code for several names."""

import pytest

from sendensed.cli import several, wait
from sendensed.cli.feed import Watched
from sendensed.errors import Denied, HubUnreachable, NotFound, Partial, SendensedError
from tests.sendensed.cli.views import NIGHT, job


@pytest.mark.parametrize(
    ("status", "goal", "code"),
    [
        ("completed", "completed", 0),
        ("running", "completed", None),
        ("stalled", "completed", None),
        ("failed", "completed", 4),
        ("cancelled", "completed", 4),
        ("failed", "ended", 0),
        ("completed", "ended", 0),
        ("pending", "ended", None),
        ("pending", "running", None),
        ("running", "running", 0),
        ("completed", "running", 0),
        ("failed", "running", 4),
        ("stalled", "stalled", 0),
        ("completed", "stalled", 1),
        ("completed", "failed", 1),
        ("failed", "failed", 0),
        ("cancelled", "failed", 4),
    ],
)
def test_a_state_is_what_was_waited_for_or_not_any_more_or_not_yet(status: str, goal: str, code: int | None):
    assert wait.verdict(job(status=status), goal, unless_stalled=False) == code


def test_a_stalled_job_is_given_up_only_where_that_is_asked_for():
    stalled = job(status="stalled")
    assert wait.verdict(stalled, "completed", unless_stalled=True) == 5
    assert wait.verdict(stalled, "stalled", unless_stalled=True) == 0


async def test_the_line_on_the_terminal_tells_how_far_one_job_is_and_how_many_several_are(mock_clock):
    watched = Watched()
    assert wait.status_line(watched) == "asking the hub"
    watched.sequence = 7
    watched.jobs = {
        "a": job("a", progress_percent=50.0, eta_seconds=90, total_bytes=2**30, bytes_transferred=2**29)
    }
    assert (
        wait.status_line(watched)
        == "a  ━━━━━━━━━━━━────────────  50.0 %  512.0 MiB / 1.0 GiB  0 B/s  1 min 30 s left"
    )
    watched.jobs["b"] = job("b")
    assert wait.status_line(watched) == "2 jobs to wait for"
    watched.lost_at = 0.0
    mock_clock.jump(7)
    assert wait.status_line(watched) == "live feed lost 7 s ago; trying again"
    assert watched.jobs["b"].created_at == NIGHT


def attempt(**errors: SendensedError):
    def do(name: str) -> None:
        if name in errors:
            raise errors[name]

    return do


def test_all_well_is_0_and_one_name_has_its_own_error(capsys):
    assert several.each(["a", "b"], attempt(), "done") == 0
    with pytest.raises(NotFound, match="no a"):
        several.each(["a"], attempt(a=NotFound("no a")), "done")
    assert capsys.readouterr().err == ""


def test_some_of_several_is_partial_and_the_others_are_still_done(capsys):
    with pytest.raises(Partial, match="2 of 3 done") as caught:
        several.each(["a", "b", "c"], attempt(b=NotFound("no b")), "done")
    assert caught.value.exit_code == 3
    assert capsys.readouterr().err == "sendensed: b: no b\n"


def test_none_of_several_is_their_common_error_or_a_plain_one():
    with pytest.raises(NotFound, match="none of 2 done"):
        several.each(["a", "b"], attempt(a=NotFound("no a"), b=NotFound("no b")), "done")
    with pytest.raises(SendensedError, match="none of 2 done") as caught:
        several.each(["a", "b"], attempt(a=NotFound("no a"), b=SendensedError("ended")), "done")
    assert caught.value.exit_code == 1


def test_what_would_meet_all_of_them_is_not_tried_again():
    tried: list[str] = []

    def do(name: str) -> None:
        tried.append(name)
        raise HubUnreachable("away")

    with pytest.raises(HubUnreachable):
        several.each(["a", "b"], do, "done")
    assert tried == ["a"]
    with pytest.raises(Partial, match="1 of 2 done, then: no more"):
        several.each(["a", "b"], attempt(b=Denied("no more")), "done")
