"""Appliance: what telemetry tells of its sender."""

from datetime import timedelta

import pytest

from schemas.telemetry import Telemetry
from sendensed.core import appliance
from sendensed.core.appliance import Register
from tests.fakes.jobs import EARLY


def at(seconds: float):
    return EARLY + timedelta(seconds=seconds)


def said(job_id: str = "a", **fields) -> Telemetry:
    return Telemetry(
        **{"job_type": "backup", "job_id": job_id, "sender": "clientd/1.2", "status": "running", **fields}
    )


@pytest.mark.parametrize(
    ("sender", "found"),
    [
        ("clientd/1.2", ("clientd", "1.2")),
        ("clientd 1.2 x", ("clientd", "1.2 x")),
        ("", ("", "")),
        (" a ", ("a", "")),
    ],
)
def test_a_sender_is_a_name_and_a_version(sender, found):
    assert appliance.split(sender) == found


def test_an_appliance_is_called_as_its_token_or_else_as_its_sender():
    register = Register()
    register.heard("site-1", said(), at(0))
    register.heard("", said(), at(1))
    register.heard("", said(sender=""), at(2))
    register.heard("site-1", said(sender=""), at(3))
    assert [(one.name, one.version, one.last_heard_at) for one in register.news()] == [
        ("clientd", "1.2", at(1)),
        ("site-1", "1.2", at(3)),
    ]
    assert register.news() == []


def test_the_clock_skew_is_smoothed_and_unknown_without_a_timestamp():
    register = Register()

    def skew():
        return register.news()[0].clock_skew_seconds

    register.heard("a", said(), at(0))
    assert skew() is None
    register.heard("a", said(timestamp=at(15)), at(5))
    assert skew() == 10
    register.heard("a", said(timestamp=at(10), age=10), at(10))
    assert skew() == 10
    register.heard("a", said(timestamp=at(20)), at(20))
    assert skew() == pytest.approx(9.0)
    register.heard("a", said(), at(30))
    assert skew() == pytest.approx(9.0)


def test_the_spool_is_as_deep_as_the_jobs_whose_last_word_had_waited():
    register = Register()

    def spool():
        [one] = register.news()
        return one.spool_depth, one.spool_age_seconds

    register.heard("a", said("1", age=30), at(0))
    register.heard("a", said("2", age=5), at(0))
    register.heard("a", said("3", age=0.5), at(0))
    assert spool() == (2, 30)
    register.heard("a", said("1"), at(1))
    assert spool() == (1, 5)
    register.heard("a", said("2", age=9, status="completed"), at(2))
    assert spool() == (0, 0)


def test_a_job_that_died_after_a_late_word_leaves_the_spool_once_it_has_been_silent_for_300_s():
    register = Register()
    register.heard("a", said("dies", age=40), at(0))
    register.heard("a", said("late", age=7), at(200))
    register.heard("a", said("lives"), at(300))
    assert [(one.spool_depth, one.spool_age_seconds) for one in register.news()] == [(2, 40)]
    register.heard("a", said("lives"), at(301))
    assert [(one.spool_depth, one.spool_age_seconds) for one in register.news()] == [(1, 7)]
    register.heard("a", said("lives"), at(501))
    assert [(one.spool_depth, one.spool_age_seconds) for one in register.news()] == [(0, 0)]


def test_what_tells_nothing_new_within_a_second_is_passed_over():
    register = Register()
    register.heard("a", said(), at(0))
    register.heard("a", said(), at(0.5))
    assert register.news()[0].last_heard_at == at(0)
    register.heard("a", said(age=3), at(0.6))
    assert register.news()[0].spool_depth == 1
    register.heard("a", said(), at(0.7))
    assert register.news()[0].spool_depth == 0


def test_only_so_many_are_remembered(monkeypatch):
    monkeypatch.setattr(appliance, "ROOM", 2)
    register = Register()
    for number in range(3):
        register.heard(f"site-{number}", said(), at(number))
    assert [one.name for one in register.news()] == ["site-1", "site-2"]
    for number in range(3):
        register.heard("site-2", said(f"job-{number}", age=9), at(9))
    assert register.news()[0].spool_depth == 2
