"""Control: every line over the socket is a request and its answer, or is refused in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientd.core import control, jobfile
from clientd.core.control import Answer, Cancel, Fault, JobView, ListJobs, Submit
from clientd.core.queue import Entry, Refused
from schemas.telemetry import TelemetryBody
from tests.fakes import orders

ENTRY = Entry(number=1, order=orders.order(job_id="backup-x"))


def test_each_command_has_its_line():
    assert control.request(b'{"command":"list"}') == ListJobs()
    assert control.request(b'{"command":"cancel","job_id":"x"}') == Cancel("x")
    order = orders.order(disks=(orders.disk(source="/s", target="/t"),))
    request = control.request(b'{"command":"submit","job":' + jobfile.write(order) + b"}")
    assert isinstance(request, Submit)
    assert request.order == order


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"list",
        b"{}",
        b"[]",
        b'{"command":"stop"}',
        b'{"command":"list","all":true}',
        b'{"command":"cancel"}',
        b'{"command":"cancel","job_id":5}',
        b'{"command":"submit"}',
        b'{"command":"list"} {"command":"list"}',
        b'{"command":"cancel","job_id":"\xff"}',
        b'{"command":"submit","job":' + b"[" * 100_000,
    ],
)
def test_what_is_no_request_is_refused(line):
    with pytest.raises(Refused, match=r"^that is no request: .+: send one JSON object a line$") as refused:
        control.request(line)
    assert refused.value.code == "malformed"


@given(st.binary(max_size=100))
def test_no_line_does_worse_than_being_refused(line):
    with pytest.raises(Refused):
        control.request(line)


def test_a_job_within_a_request_is_as_strict_as_a_job_file():
    request = control.request(b'{"command":"submit","job":{"job_id":"x","disk":[{"source":"s","target":"/t"}]}}')
    with pytest.raises(jobfile.Wrong, match=r"disk\[0\].source: 's' must be an absolute path"):
        _ = request.order


def test_an_answer_is_read_as_it_was_written():
    for answer in (Answer(), Answer((control.view(ENTRY, None),)), Answer(error=Fault("full", "later"))):
        assert control.answer(control.encode(answer)) == answer


def test_a_running_job_is_shown_with_what_its_attempt_tells():
    body = TelemetryBody(
        current_phase="transferring",
        progress_percent=50.0,
        bytes_transferred=5,
        total_bytes=10,
        transfer_speed_bps=3,
    )
    view = JobView("backup-x", "running", 2, "transferring", 50.0, 5, 10, 3)
    running = ENTRY.begun(2)
    assert control.view(running, body) == view
    assert control.view(running.to_end("cancelled", "by hand"), body).error == "by hand"


def test_a_waiting_job_is_shown_with_nothing_that_is_not_known():
    assert control.view(ENTRY, None) == JobView("backup-x", "queued", 0)
    assert control.view(ENTRY.to_end("cancelled", "by hand"), None).error == "by hand"


@pytest.mark.parametrize(
    ("state", "done", "whole", "percent"),
    [
        ("completed", 10, 10, 100.0),
        ("completed", 0, None, 100.0),
        ("failed", 5, 10, 50.0),
        ("failed", 10, 10, 99.99),
        ("failed", 0, None, None),
        ("cancelled", 0, 0, None),
    ],
)
def test_an_ended_job_is_shown_with_its_last_counters(state, done, whole, percent):
    view = control.view(ENTRY.begun(1).finished(state, "why", "t", done, whole), None)
    assert (view.state, view.percent, view.bytes_transferred, view.total_bytes) == (state, percent, done, whole)
    assert (view.error, view.ended) == ("why", "t")
