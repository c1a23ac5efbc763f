"""Commands: each against a real hub, as a real process; and every exit code that docs/cli.md promises."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from schemas import bundle
from schemas.job import JobDetail
from sendensed.__main__ import main
from sendensed.cli import completion, options, parser
from tests.browser.hub import GIB, disk
from tests.e2e.conftest import eventually
from tests.ports import free_port
from tests.sendensed.cli.conftest import ROOT
from tests.waits import PATIENCE

SENDER = "clientd 1.2 \x1b[31m"
EVIL = "db\x1b]0;owned\x07 \x9b31m\u202e1"


@pytest.fixture(scope="module", autouse=True)
def fleet(hub):
    """A few jobs in every state, one with a name that would steer a terminal."""
    disks = [disk(0, 50), disk(1, 10)]
    hub.send("web-1", vm_name="web01", status="running", current_phase="transferring", disks=disks, sender=SENDER)
    hub.send("web-0", vm_name="web01", status="completed", bytes_transferred=3 * GIB, total_bytes=3 * GIB)
    hub.send("full", vm_name="mail", status="failed", error="no space left on \x1b[2Jtarget", bytes_transferred=5)
    hub.send("stopped", vm_name="mail", status="cancelled", kind="restore")
    hub.send("evil", vm_name=EVIL, status="completed", total_bytes=GIB, bytes_transferred=GIB)
    hub.send("a b/c%\u00e9", vm_name="odd", status="completed")
    eventually("the hub has noted its appliance", lambda: hub.get("/api/v1/appliances")["appliances"])


def names(said: subprocess.CompletedProcess[str]) -> list[str]:
    assert said.returncode == 0, said.stderr
    return said.stdout.split("\n")[:-1]


def test_jobs_are_selected_and_ordered(command):
    assert names(command("jobs", "-o", "name"))[::-1] == [
        "web-1",
        "web-0",
        "full",
        "stopped",
        "evil",
        "a b/c%\u00e9",
    ]
    assert names(command("jobs", "-o", "name", "--status", "failed,cancelled", "--sort-by", "id")) == [
        "full",
        "stopped",
    ]
    assert names(command("jobs", "-o", "name", "--machine", "web01", "--reverse")) == ["web-1", "web-0"]
    assert names(command("jobs", "-o", "name", "--type", "restore")) == ["stopped"]
    assert names(command("jobs", "-o", "name", "-q", "WEB", "--sort-by", "bytes")) == ["web-1", "web-0"]
    newest = ["evil", "stopped", "a b/c%\u00e9"]
    assert names(command("jobs", "-o", "name", "--sort-by", "machine", "--limit", "3")) == newest
    assert len(names(command("jobs", "-o", "name", "--since", "1h"))) == 6
    assert names(command("jobs", "-o", "name", "--until", "2026-01-01")) == []


def test_a_limit_that_leaves_jobs_out_is_said_beside_the_data(command):
    some = command("jobs", "--limit", "2", "--no-headers")
    assert (some.returncode, some.stdout.count("\n")) == (0, 2)
    assert some.stderr == "there are more: these are the 2 newest; --limit N shows more\n"
    none = command("jobs", "-q", "nothing like that")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "no job matches\n")


@pytest.mark.parametrize("form", options.FORMATS)
@pytest.mark.parametrize(
    "words",
    ["jobs", "job evil", "job web-1 full", "machines", "machine mail", "appliances", "events", "watch evil"],
)
def test_nothing_foreign_steers_the_terminal_in_any_form_of_any_command(hub, capsys, words: str, form: str):
    assert main([*words.split(), "-o", form, "--hub", hub.address]) == 0
    said = capsys.readouterr()
    assert said.out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said.out + said.err)
    if form == "json" and words != "watch evil":
        json.loads(said.out)


def test_json_holds_foreign_text_as_it_is(command):
    [job] = json.loads(command("jobs", "-o", "json", "-q", "evil").stdout)
    assert job["vm_name"] == EVIL
    assert json.loads(command("watch", "evil", "-o", "ndjson").stdout)["vm_name"] == EVIL
    assert json.loads(command("jobs", "--json", "-q", "evil").stdout) == job


def test_job_shows_disks_history_and_the_verdict(command):
    said = command("job", "web-1").stdout
    assert re.search(r"^state      ▶ running$", said, re.MULTILINE)
    assert re.search(
        r"^disk 0  running  ━━━━━━━━━━━━────────────  50.0 %  10.0 GiB / 20.0 GiB", said, re.MULTILINE
    )
    assert re.search(r"state +sender +running .* running$", said, re.MULTILINE)
    failed = command("job", "full").stdout
    assert "error      no space left on \N{REPLACEMENT CHARACTER}[2Jtarget\n" in failed
    whole = json.loads(command("job", "a b/c%\u00e9", "-o", "json").stdout)
    assert whole["job"]["id"] == "a b/c%\u00e9"
    assert set(whole) == set(JobDetail.__struct_fields__)


def test_a_job_says_how_much_of_its_targets_is_read_again(strict_hub, capsys):
    copied = {"bytes_transferred": GIB, "total_bytes": GIB, "bytes_to_verify": 4 * GIB}
    strict_hub.send("again", status="running", current_phase="verifying", bytes_verified=GIB, **copied)
    assert main(["job", "again", "--hub", strict_hub.address]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^bytes +1.0 GiB / 1.0 GiB$", said, re.MULTILINE)
    assert re.search(r"^verified +1.0 GiB / 4.0 GiB$", said, re.MULTILINE)
    assert main(["jobs", "--hub", strict_hub.address]) == 0
    assert "1.0 GiB / 4.0 GiB verified" in capsys.readouterr().out


def test_machines_and_a_machine_with_its_runs(command):
    assert names(command("machines", "-o", "name", "--sort-by", "runs"))[:2] == ["mail", "web01"]
    assert names(command("machine", "web01", "-o", "name")) == ["web-0", "web-1"]
    said = command("machine", "web01")
    assert said.stdout.count("MACHINE") == 2
    assert said.stderr == "running now: sendensed watch web-1\n"
    assert names(command("machines", "-o", "name", "-q", "EB0")) == ["web01"]
    assert command("machines", "-q", "nothing").stderr == "no machine matches\n"
    assert "--runs N shows more" in command("machine", "web01", "--runs", "1").stderr


def test_appliances_tell_who_sends(command):
    said = command("appliances")
    assert said.stdout.splitlines()[0].split() == [
        "APPLIANCE",
        "VERSION",
        "ACTIVE",
        "HEARD",
        "CLOCK",
        "WAITING",
        "WAITED",
    ]
    assert said.stdout.splitlines()[1].startswith("clientd")


def test_events_tell_of_one_job_or_of_all_in_order_of_time(command):
    lines = [json.loads(line) for line in names(command("events", "-o", "ndjson"))]
    assert {line["job_id"] for line in lines} == {"web-1", "web-0", "full", "stopped", "evil", "a b/c%\u00e9"}
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    table = command("events", "full").stdout
    assert re.search(r"state +sender +failed .*no space left", table)
    assert "these are of the 1 job heard last" in command("events", "--limit", "1").stderr


def test_exit_0_help_and_version(command):
    assert command("--help").returncode == 0
    assert command("--version").stdout.startswith("sendensed ")
    assert command("wait", "web-0", "--timeout", "20s").returncode == 0
    assert command("wait", "web-1", "--for", "running").returncode == 0
    assert command("watch", "web-0").returncode == 0


def test_exit_1_a_job_that_ended_cannot_be_cancelled(command):
    said = command("cancel", "web-0")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("sendensed: ")


@pytest.mark.parametrize(
    "words",
    [
        ["jobs", "--status", "gone"],
        ["jobs", "--limit", "0"],
        ["jobs", "--since", "yesterday"],
        ["jobs", "--sort-by", "beauty"],
        ["jobs", "-o", "xml"],
        ["wait", "web-1", "--timeout", "soon"],
        ["job"],
        ["nothing"],
        ["jobs", "--hub", "hub:8082"],
        ["jobs", "--token-file", "/nowhere/token"],
        ["replay", "x", "--speed", "0"],
        ["top"],
    ],
)
def test_exit_2_a_wrong_command_line_is_said_in_one_sentence(command, words: list[str]):
    said = command(*words)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("sendensed: ")
    assert said.stderr.count("\n") == 1


def test_exit_2_an_unknown_option_is_refused_by_its_command(command):
    said = command("wait", "a", "-o", "name")
    assert said.stderr == "sendensed: unrecognized arguments: -o name; see 'sendensed wait --help'\n"
    assert said.returncode == 2


def test_exit_2_without_a_command_the_help_is_talk(command):
    said = command()
    assert (said.returncode, said.stdout) == (2, "")
    assert "COMMAND" in said.stderr


def test_exit_3_some_of_several(command):
    said = command("job", "web-1", "unknown", "-o", "name")
    assert (said.returncode, said.stdout) == (3, "web-1\n")
    assert "no job has the id 'unknown'" in said.stderr
    assert "1 of 2 shown" in said.stderr


def test_exit_4_a_job_that_failed_or_was_cancelled(command):
    for words in (["watch", "full"], ["wait", "full"], ["wait", "stopped"], ["wait", "web-0", "full"]):
        assert command(*words).returncode == 4, words


def test_exit_5_timeout_and_stalled(command, strict_hub):
    late = command("wait", "web-1", "--timeout", "0.1s")
    assert late.returncode == 5
    assert "not completed within" in late.stderr
    strict_hub.send("silent", status="running")
    strict = ["silent", "--hub", strict_hub.address]
    assert command("wait", *strict, "--unless-stalled").returncode == 5
    assert command("wait", *strict, "--for", "stalled").returncode == 0


def test_exit_6_what_the_hub_does_not_know(command):
    for words in (
        ["job", "no"],
        ["watch", "no"],
        ["wait", "no"],
        ["cancel", "no"],
        ["machine", "no"],
    ):
        said = command(*words)
        assert (said.returncode, said.stdout) == (6, ""), words
        assert said.stderr.count("\n") == 1
    assert command("job", "\udcff").returncode == 6


def test_exit_8_no_hub_answers(command):
    nobody = f"http://127.0.0.1:{free_port()}"
    for words in (["jobs"], ["job", "a"], ["watch"], ["wait", "a"], ["machines"], ["appliances"], ["cancel", "a"]):
        said = command(*words, "--hub", nobody)
        assert (said.returncode, said.stdout) == (8, ""), words
        assert re.fullmatch(r"sendensed: no (hub answers|live feed) at \S+: .*is --hub right\?\n", said.stderr)


def test_exit_130_interrupted(hub, environment):
    watch = subprocess.Popen(
        [sys.executable, "-m", "sendensed", "watch", "-o", "name", "--hub", hub.address],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watch.stdout.readline()
    watch.send_signal(signal.SIGINT)
    _, talk = watch.communicate(timeout=PATIENCE)
    assert (watch.returncode, talk) == (130, "")


def test_a_reader_that_goes_away_is_no_error(hub, environment):
    for words in (["jobs", "-o", "ndjson"], ["watch", "-o", "ndjson"], ["events"]):
        one = subprocess.Popen(
            [sys.executable, "-m", "sendensed", *words, "--hub", hub.address],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        one.stdout.close()
        until, told = time.monotonic() + PATIENCE, 0
        while one.poll() is None and time.monotonic() < until:
            told += 1
            hub.send("web-1", status="running", bytes_transferred=told)
            time.sleep(0.1)
        one.kill()
        assert (one.wait(), one.stderr.read()) == (0, b""), words
        one.stderr.close()


def test_a_full_disk_or_no_standard_output_at_all_is_no_bug(command, hub, environment):
    words = [sys.executable, "-m", "sendensed", "jobs", "-o", "json", "--hub", hub.address]
    with open("/dev/full", "w") as full:
        said = subprocess.run(
            words, cwd=ROOT, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE
        )
    assert said.returncode == 1
    assert said.stderr == (
        "sendensed: standard output cannot be written: No space left on device; part of it is missing\n"
    )
    closed = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *words]
    assert subprocess.run(closed, cwd=ROOT, env=environment, timeout=PATIENCE).returncode == 0


def test_what_a_hub_says_of_an_error_steers_no_terminal(command):
    said = command("job", "no\x1b[2Jsuch")
    assert said.returncode == 6
    there = "; see sendensed jobs or machines for what there is\n"
    assert said.stderr == f"sendensed: no job has the id 'no\N{REPLACEMENT CHARACTER}[2Jsuch'{there}"


def test_cancel_is_asked_for_and_then_seen(command, hub):
    hub.send("to-cancel", status="running")
    said = command("cancel", "to-cancel")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("asked to stop")
    assert "asked for" in command("job", "to-cancel").stdout
    both = command("cancel", "to-cancel", "web-0")
    assert both.returncode == 3
    assert both.stdout.startswith("to-cancel: asked to stop")


def test_export_writes_one_bundle_to_standard_output_or_into_a_new_file(command, tmp_path):
    said = command("export", "web-0")
    assert (said.returncode, said.stderr) == (0, "")
    found = bundle.read(said.stdout.encode().splitlines())
    assert found.is_whole
    assert (found.job.id, found.job.status) == ("web-0", "completed")
    assert found.events[-1].detail
    assert found.samples[-1].bytes_transferred == 3 * GIB
    path = tmp_path / "web.ndjson"
    written = command("export", "web-0", "--file", str(path))
    assert (written.returncode, written.stdout) == (0, "")
    assert written.stderr.startswith("exported: 1 sample, ")
    assert bundle.read(path.read_bytes().splitlines()).job == found.job
    again = command("export", "web-0", "--file", str(path))
    assert again.returncode == 1
    assert "name a new file" in again.stderr
    assert command("export", "unknown").returncode == 6


def test_every_command_explains_itself_and_is_put_together_only_when_it_is_named(capsys):
    commands = [one.path for one in completion.commands_of(parser.parser()) if " " not in one.path]
    for name in commands:
        alone = parser.parser(parser.command_in([name, "--help"]))
        with pytest.raises(SystemExit, match="0"):
            alone.parse_args([name, "--help"])
        with pytest.raises(SystemExit, match="0"):
            parser.parser().parse_args([name, "--help"])
        said = capsys.readouterr().out
        assert said[: len(said) // 2] == said[len(said) // 2 :]
    assert parser.command_in(["--version"]) == ""


def test_a_terminal_that_knows_few_signs_gets_question_marks(command):
    said = command("job", "web-1", PYTHONIOENCODING="ascii")
    assert said.returncode == 0
    assert "? running" in said.stdout
    assert os.environ.get("PYTHONIOENCODING") is None
