"""Tail: `events --follow` tells each event once as it comes, over a hub's restart, in every form."""

import json
import re
import subprocess
import sys
from datetime import timedelta

import pytest
from msgspec.structs import replace

from schemas.job import JobDetail
from sendensed.cli import tail, terminal
from sendensed.cli.tail import Printer, Tail
from sendensed.core.history import changes
from sendensed.core.model import Job
from sendensed.core.view import event_view, job_view
from tests.browser import hub as hubs
from tests.browser.hub import GIB
from tests.sendensed.cli.conftest import ROOT
from tests.sendensed.cli.terminal import Terminal
from tests.sendensed.cli.views import NIGHT
from tests.waits import PATIENCE


class Run:
    """One job's life: each `go` is a change that leaves its rows."""

    def __init__(self, job_id: str = "a") -> None:
        self.job = Job(id=job_id, job_type="backup", created_at=NIGHT)
        self.rows = [event_view(row) for row in changes(None, self.job, NIGHT, "sender")]

    def go(self, seconds: float, **fields: object) -> "Run":
        after = Job(**{name: getattr(self.job, name) for name in Job.__struct_fields__} | fields)
        at = NIGHT + timedelta(seconds=seconds)
        self.rows += [event_view(row) for row in changes(self.job, after, at, "sender")]
        self.job = replace(after, event_count=len(self.rows))
        return self

    @property
    def view(self):
        return job_view(self.job)

    @property
    def detail(self) -> JobDetail:
        return JobDetail(self.view, tuple(self.rows))


def said(tail: Tail, run: Run) -> list[str]:
    return [row.detail for row in tail.fresh(run.detail)]


def test_what_was_told_is_not_told_again_and_what_comes_is_told_once():
    followed, run = Tail(NIGHT), Run().go(1, status="running")
    followed.told(run.detail)
    assert followed.changed([run.view]) == []
    followed.begin()
    run.go(2, bytes_transferred=5)
    assert followed.changed([run.view]) == []
    run.go(3, current_phase="transferring").go(4, current_phase="verifying")
    assert followed.changed([run.view]) == ["a"]
    assert said(followed, run) == ["pending -> transferring", "transferring -> verifying"]
    assert said(followed, run) == []
    assert followed.changed([run.view]) == []


def test_a_stall_and_a_revival_between_two_frames_are_told_in_order_at_once():
    followed, run = Tail(NIGHT), Run().go(1, status="running")
    followed.told(run.detail)
    followed.changed([run.view])
    followed.begin()
    run.go(61, status="stalled").go(61.05, status="running")
    assert followed.changed([run.view]) == ["a"]
    assert said(followed, run) == ["running -> stalled", "stalled -> running"]
    assert followed.changed([run.view]) == []


def test_a_change_between_the_reading_and_the_feeds_first_word_is_news():
    followed, run = Tail(NIGHT + timedelta(seconds=5)), Run()
    followed.told(run.detail)
    run.go(6, status="running")
    old, new = Run("old"), Run("new").go(7, status="running", started_at=NIGHT + timedelta(seconds=7))
    assert followed.changed([run.view, old.view, new.view]) == ["a", "new"]
    followed.begin()
    assert said(followed, new) == ["pending -> running"]
    assert followed.changed([Run("later").view]) == ["later"]


def test_more_rows_than_are_kept_at_hand_lose_none_that_is_still_there():
    followed, run = Tail(NIGHT), Run()
    followed.told(run.detail)
    run.go(1, current_phase="x").go(2, current_phase="y")
    del run.rows[0]
    assert said(followed, run) == ["pending -> x", "x -> y"]


def test_of_very_many_jobs_the_ones_told_longest_ago_are_forgotten_and_still_not_told_twice(monkeypatch):
    monkeypatch.setattr(tail, "KEPT", 2)
    followed = Tail(NIGHT)
    runs = [Run(name).go(number, status="running") for number, name in enumerate("abc", 1)]
    for run in runs:
        assert said(followed, run)[-1] == "pending -> running"
    assert said(followed, runs[2]) == []
    assert said(followed, runs[0].go(9, status="failed", error_message="no space")) == [
        "pending -> running",
        "no space",
    ]


def test_a_table_keeps_its_columns_though_its_rows_come_one_by_one(capsys):
    printer = Printer("table", headers=True)
    followed = Tail(NIGHT)
    printer.write([])
    assert capsys.readouterr().out == ""
    printer.write(followed.fresh(Run().detail))
    printer.write(followed.fresh(Run("a-job-with-a-long-id").detail))
    printer.write(followed.fresh(Run("b").go(1, status="running").detail))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["TIME", "KIND", "SAID-BY", "STATE", "DONE", "JOB", "DETAIL"]
    assert len(lines) == 5
    assert len({line.index("sender") for line in lines[1:]}) == 1
    assert lines[1].rindex("pending") < lines[2].rindex("pending") == lines[3].rindex("pending")
    assert lines[4].index("pending -> running") == lines[3].rindex("pending")


def test_a_narrow_terminal_is_told_the_headings_again_when_a_column_has_to_go(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "places", lambda: 80)
    printer = Printer("table", headers=True)
    followed = Tail(NIGHT)
    for name in ("a", "b", "a-job-with-a-long-name", "c", "a-job-with-a-much-longer-name-0200", "d"):
        printer.write(followed.fresh(Run(name).detail))
    lines = capsys.readouterr().out.splitlines()
    headings = [line.split() for line in lines if line.startswith("TIME")]
    assert headings == [
        ["TIME", "KIND", "SAID-BY", "STATE", "DONE", "JOB", "DETAIL"],
        ["TIME", "SAID-BY", "STATE", "JOB", "DETAIL"],
    ]
    assert max(map(len, lines)) <= 80


def test_follow_goes_on_live_on_a_terminal_and_over_a_restart_of_the_hub(environment):
    with hubs.running(stall_after=120.0) as hub:
        hub.send("web-1", status="running", sequence=1, current_phase="transferring", vm_name="web01")
        words = [sys.executable, "-m", "sendensed", "events", "--follow", "--hub", hub.address]
        with Terminal(words, env=environment, columns=160) as shown:
            shown.wait_for(r"state +sender +running +- +web-1 +running")
            hub.send("web-1", status="running", sequence=2, current_phase="verifying")
            shown.wait_for(r"phase +sender +running +- +web-1 +transferring -> verifying")
            hub.send("db-1", status="running", sequence=1, bytes_transferred=GIB, total_bytes=4 * GIB)
            shown.wait_for(r"state +sender +running +25\.0 % +db-1 +running")
            hub.kill()
            shown.wait_for("the live feed is lost")
            hub.start()
            hub.send("web-1", status="failed", sequence=3, error="no space left on target")
            shown.wait_for(r"state +sender +failed +- +web-1 +no space left on target")
            shown.wait_for("the live feed is back")
            shown.type("\x03")
            assert shown.wait() == 130
            for once in ("transferring -> verifying", "no space left on target", "db-1"):
                assert shown.text.count(once) == 1, once
            assert "Traceback" not in shown.text


def test_follow_in_a_pipe_is_one_object_a_line_of_the_jobs_named_alone(hub, environment):
    hub.send("piped", status="running", sequence=1, current_phase="starting")
    words = [sys.executable, "-m", "sendensed", "events", "piped", "-f", "-o", "ndjson", "--hub", hub.address]
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as follow:
        first = json.loads(follow.stdout.readline())
        assert (first["job_id"], first["kind"], first["status"]) == ("piped", "state", "running")
        hub.send("another", status="running", sequence=1)
        hub.send("piped", status="completed", sequence=2, bytes_transferred=5)
        second = json.loads(follow.stdout.readline())
        assert (second["job_id"], second["status"], second["detail"]) == (
            "piped",
            "completed",
            "running -> completed",
        )
        follow.send_signal(2)
        assert follow.stdout.read() == ""
        assert follow.wait(PATIENCE) == 130


@pytest.mark.parametrize("more", [["--sort-by", "job"], ["--reverse"]])
def test_follow_has_one_order_alone(command, more: list[str]):
    refused = command("events", "--follow", *more)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert re.fullmatch(r"sendensed: --follow tells what happens in order of time: .*\n", refused.stderr)


def test_follow_without_a_hub_or_of_a_job_that_is_unknown_ends_at_once(command):
    assert command("events", "-f", "--hub", "http://127.0.0.1:9").returncode == 8
    assert command("events", "-f", "unknown").returncode == 6
