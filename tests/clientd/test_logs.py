"""Logs: one line an event, JSON for machines, text for people, nothing that could forge a line."""

import io
import json

import pytest
import structlog

from clientd import logs


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def restored():
    yield
    structlog.reset_defaults()


def said(form, stream, environment):
    logs.configure(form, stream, environment)
    structlog.get_logger().warning("disk failed", disk=1, error='it "broke"\nhere', nothing=None, name="\udcff")
    structlog.get_logger().info("job ended", status="failed", path="")
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(("form", "stream"), [("json", Terminal()), ("auto", io.StringIO())])
def test_machines_get_json(form, stream, environment):
    first, second = (json.loads(line) for line in said(form, stream, environment))
    assert first == {
        "time": "2026-11-23T02:14:07Z",
        "level": "warning",
        "event": "disk failed",
        "disk": 1,
        "error": 'it "broke"\nhere',
        "name": "\udcff",
    }
    assert second["status"] == "failed"


def test_lines_of_a_job_among_many_name_it_and_their_own_values_count(environment):
    stream = io.StringIO()
    logs.configure("json", stream, environment)
    with structlog.contextvars.bound_contextvars(job_id="backup-a"):
        structlog.get_logger().info("disk copied", disk=0)
        structlog.get_logger().info("job queued", job_id="backup-b")
    structlog.get_logger().info("serving")
    assert [json.loads(line).get("job_id") for line in stream.getvalue().splitlines()] == [
        "backup-a",
        "backup-b",
        None,
    ]


@pytest.mark.parametrize(("form", "stream"), [("text", io.StringIO()), ("auto", Terminal())])
def test_people_get_text(form, stream, environment):
    assert said(form, stream, environment) == [
        "02:14:07 warning disk failed disk=1 error='it \"broke\"\\nhere' name='\\udcff'",
        "02:14:07 info    job ended status=failed path=''",
    ]
