"""Doctor: what was found is judged, and every finding that is not well says what to do."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from clientd.core import doctor
from clientd.core.doctor import Disk, Finding, Hub
from clientd.core.spool import Holding

NOW = datetime(2026, 11, 23, 2, 14, 7, tzinfo=UTC)
WELL = Hub(url="http://h", health=200, version="1.0", skew=0.0, push=200, token=True)


def verdicts(hub: Hub) -> dict[str, str]:
    return {finding.check: finding.verdict for finding in doctor.hub(hub)}


def sentence(hub: Hub, check: str) -> str:
    return next(finding.sentence for finding in doctor.hub(hub) if finding.check == check)


def test_nbdkit_matters_where_a_job_needs_it():
    assert doctor.nbdkit("nbdkit 1.32", needed=True).verdict == "ok"
    assert doctor.nbdkit(None, needed=False).verdict == "warning"
    assert doctor.nbdkit(None, needed=True).verdict == "wrong"


def test_a_hub_that_is_well_is_well():
    assert verdicts(WELL) == {"hub": "ok", "token": "ok", "clock": "ok"}
    assert sentence(replace(WELL, token=False), "token") == "the hub asks for no token"


@pytest.mark.parametrize(
    ("changed", "check", "verdict", "words"),
    [
        (
            {"error": "connection refused"},
            "hub",
            "wrong",
            r"does not answer \(connection refused\): check the address",
        ),
        ({"health": 404, "version": ""}, "hub", "wrong", r"is no hub \(HTTP status 404\): name the hub's"),
        ({"health": 200, "version": ""}, "hub", "wrong", "is no hub"),
        ({"health": 302}, "hub", "wrong", "is no hub"),
        ({"health": 401, "version": "", "push": 0}, "token", "wrong", r"token refused \(401\)"),
        ({"health": 403, "version": "", "push": 0, "token": False}, "token", "wrong", "wants a token"),
        (
            {"health": 503, "reasons": ("no database",)},
            "hub",
            "wrong",
            r"cannot work \(no database\): look at the hub",
        ),
        ({"health": 503}, "hub", "wrong", "it gives no reason"),
        ({"warnings": ("certificate",)}, "hub", "warning", r"warns \(certificate\)"),
        ({"push": 401}, "token", "wrong", r"token refused \(401\): make another"),
        ({"push": 403}, "token", "wrong", r"token refused \(403\)"),
        ({"push": 401, "token": False}, "token", "wrong", "the hub wants a token: make one there"),
        ({"push": 503}, "token", "warning", "could not look at the token"),
        ({"skew": None}, "clock", "warning", "tells no time"),
        ({"skew": 5.0}, "clock", "ok", "agree"),
        ({"skew": 190.9}, "clock", "warning", "the hub's clock is 3 min 10 s ahead of ours: set both by NTP"),
        ({"skew": -8.0}, "clock", "warning", "the hub's clock is 8 s behind ours"),
    ],
)
def test_what_is_wrong_with_a_hub_is_said(changed, check, verdict, words):
    hub = replace(WELL, **changed)
    assert verdicts(hub)[check] == verdict
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(sentence(hub, check))


@pytest.mark.parametrize(("theirs", "skew"), [(-10, -10), (0, 0), (1, 0), (2, 0), (12, 10)])
def test_a_clock_is_off_by_what_the_round_trip_cannot_explain(theirs, skew):
    after = NOW + timedelta(seconds=2)
    assert doctor.skew(NOW + timedelta(seconds=theirs), NOW, after) == skew


def test_a_spool_that_holds_something_is_said_with_what_to_do():
    assert doctor.spool("/s", Holding()).verdict == "ok"
    waiting = doctor.spool("/s", Holding(waiting=3, jobs=2))
    assert (waiting.verdict, waiting.sentence) == (
        "warning",
        "/s holds 3 events of 2 jobs: clientd flush delivers them",
    )
    assert "refused" in doctor.spool("/s", Holding(aside=1, waiting=1, jobs=1)).sentence
    broken = doctor.spool("/s", None, "EROFS")
    assert (broken.verdict, "cannot be used (EROFS)" in broken.sentence) == ("wrong", True)


def test_disks_are_judged_each_end_by_itself():
    source = Disk(index=3, role="source", name="/a", size=2**30)
    target = Disk(index=3, role="target", name="/b", free=2**31)
    found = doctor.disks(
        [source, target, Disk(index=4, role="source", name="/c", error="/c cannot be read: look")]
    )
    assert [(finding.check, finding.verdict) for finding in found] == [
        ("disk[3].source", "ok"),
        ("disk[3].target", "ok"),
        ("disk[4].source", "wrong"),
    ]
    assert found[0].sentence == "'/a' can be read, 1.0 GiB"
    assert found[1].sentence == "'/b' can be written, 2.0 GiB free"


def test_a_target_with_too_little_room_is_a_warning_because_holes_need_none():
    source = Disk(index=0, role="source", name="/a", size=2**31)
    (_, target) = doctor.disks([source, Disk(index=0, role="target", name="/b", free=2**30)])
    assert target.verdict == "warning"
    assert "has room for 1.0 GiB, 1.0 GiB less than its source has: make room" in target.sentence


def test_a_device_or_an_export_has_no_room_to_speak_of():
    (target,) = doctor.disks([Disk(index=0, role="target", name="nbd://h/x", size=5)])
    assert target == Finding("disk[0].target", "ok", "'nbd://h/x' can be written")


def test_all_is_well_only_without_a_warning():
    assert doctor.is_well([Finding("a", "ok", "")])
    assert not doctor.is_well([Finding("a", "ok", ""), Finding("b", "warning", "")])
