"""Bundle: what is written is read again, whole or cut off, and nothing else is."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from schemas import bundle
from schemas.fault import Invalid
from schemas.job import Accuracy, EventView, JobDetail, JobView, Prediction
from schemas.reading import DiskBytes, Gap, Sample, Samples

NIGHT = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)


def job() -> JobView:
    return JobView(
        id="backup-web01",
        job_type="backup",
        vm_name="web01",
        backup_type="full",
        status="completed",
        current_phase="finalizing",
        bytes_transferred=100,
        total_bytes=100,
        total_kind="allocated",
        progress_percent=100.0,
        transfer_speed_bps=10,
        eta_seconds=0,
        eta_reason=None,
        error_message=None,
        attempt=1,
        sequence=3,
        sender="clientd 0.1.0",
        closed_by="sender",
        created_at=NIGHT,
        started_at=NIGHT,
        completed_at=NIGHT + timedelta(seconds=10),
        last_telemetry_at=NIGHT + timedelta(seconds=10),
        last_moved_at=NIGHT + timedelta(seconds=10),
        revision=3,
    )


DETAIL = JobDetail(
    job(),
    (EventView(NIGHT, "state", "sender", "running", 1, 1, 0, 0.0, "starting", "running"),),
    (Prediction(25, 8, 6, 12, 7),),
    Accuracy("machine", 5, 12.5),
)
CHART = Samples(
    "backup-web01",
    5.0,
    (Sample(NIGHT, 1, 50, 10, "transferring"),),
    (Gap(NIGHT, NIGHT + timedelta(60), "silent"),),
)


def lines() -> list[bytes]:
    return list(bundle.write(DETAIL, CHART, hub="hub-a", version="0.1.0", now=NIGHT))


def test_a_bundle_is_read_as_it_was_written():
    assert [json.loads(line)["kind"] for line in lines()] == [
        "header", "job", "sample", "gap", "event", "prediction", "end",
    ]  # fmt: skip
    found = bundle.read(lines())
    assert found.is_whole
    assert (found.job, found.events) == (DETAIL.job, DETAIL.events)
    assert [(one.at, one.bytes_transferred) for one in found.samples] == [(NIGHT, 50)]
    assert [(one.start, one.cause) for one in found.gaps] == [(NIGHT, "silent")]
    assert [one.predicted_seconds for one in found.predictions] == [8]
    assert (found.header.hub, found.header.accuracy) == ("hub-a", DETAIL.accuracy)


def test_a_sample_tells_its_disks_only_where_they_are_known():
    assert [b'"disks"' in line for line in lines() if b'"sample"' in line] == [False]
    known = (DiskBytes(0, 30), DiskBytes(1, 20))
    chart = replace(CHART, samples=(replace(CHART.samples[0], disks=known),))
    written = list(bundle.write(DETAIL, chart, hub="hub-a", version="0.1.0", now=NIGHT))
    assert b'"disks":[[0,30],[1,20]]' in written[2]
    assert [one.disks for read in (lines(), written) for one in bundle.read(read).samples] == [None, known]


def test_one_that_was_cut_off_is_read_and_says_so():
    assert not bundle.read(lines()[:-1]).is_whole
    assert not bundle.read([*lines()[:-2], lines()[-1]]).is_whole


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "it is no bundle"),
        (lines()[:1], "it is no bundle"),
        (lines()[1:], "line 1: a bundle begins with its one header"),
        ([*lines()[:2], *lines()], "line 3: a bundle begins with its one header"),
        ([b"{}"], "line 1: "),
        ([*lines()[:2], b'{"kind":"sample","at":'], "line 3: "),
        (
            [lines()[0].replace(b'"format":1', b'"format":2')],
            "line 1: the bundle is of format 2, and this reads 1",
        ),
    ],
)
def test_what_is_no_bundle_is_refused_by_the_line(content: list[bytes], problem: str):
    with pytest.raises(Invalid, match=f"^{problem}"):
        bundle.read(content)
