"""Access with real processes: the first start, tokens made and revoked beside a running hub, a client's own."""

import json
import os
import re
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.e2e.conftest import eventually
from tests.waits import PATIENCE, first_line

MIB = 2**20


class Guarded:
    """A hub that wants tokens, and the commands beside it."""

    def __init__(self, state: Path, database: str = "", settings: str = "") -> None:
        self.state = state
        self.port = 0
        (state / "hub.toml").write_text(settings)
        self._place = ["--state-dir", str(state), *(["--database", database] if database else [])]
        command = [sys.executable, "-m", "sendensed", "serve", *self._place, "--listen", "127.0.0.1:0"]
        command += ["--config", str(state / "hub.toml")]
        environment = {name: value for name, value in os.environ.items() if name != "INVOCATION_ID"}
        with (state / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        line = first_line(self.process)
        if not line.startswith("listening on "):
            self.stop()
            raise AssertionError((state / "hub.log").read_text())
        self.url = line.split()[-1]
        self.port = int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()  # one that does not end
            self.process.stdout.close()

    def token(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        action, *rest = arguments
        return command("token", action, *self._place, *rest)

    def made(self, name: str, role: str) -> Path:
        """The file of a new token."""
        path = self.state / f"{name}.new"
        done = self.token("create", name, "--role", role, "--output", str(path))
        assert done.returncode == 0, done.stderr
        return path

    def status(self, path: str, token: str | None = None, **headers: str) -> int:
        request = urllib.request.Request(self.url + path, headers=headers)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sendensed", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def hub(open_directory):
    hub = Guarded(open_directory)
    yield hub
    hub.stop()


def test_the_first_start_makes_two_tokens_and_prints_one_link_that_works_once(hub):
    printed = hub.process.stdout.readline()
    link = re.fullmatch(r"sign in, once and within 10 minutes: (http://\S+)/login#(sd1_\S+)\n", printed)
    assert link[1] == hub.url
    for name, path in (("admin", "/api/v1/jobs"), ("appliance-1", None)):
        file = hub.state / f"{name}.token"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        if path:
            assert hub.status(path, file.read_text().strip()) == 200
    connection = HTTPConnection("127.0.0.1", hub.port, timeout=PATIENCE)
    for expected in (200, 401):
        connection.request(
            "POST",
            "/api/v1/login",
            json.dumps({"token": link[2]}),
            {"Content-Type": "application/json", "Origin": hub.url},
        )
        answer = connection.getresponse()
        answer.read()
        assert answer.status == expected
    connection.close()
    log = (hub.state / "hub.log").read_text()
    assert "first tokens made" in log
    secrets = [link[2], *((hub.state / f"{name}.token").read_text().strip() for name in ("admin", "appliance-1"))]
    assert not any(secret.split("_", 2)[2][:43] in log for secret in secrets)


def test_tokens_are_made_rotated_listed_and_revoked_beside_the_running_hub(hub):
    file = hub.made("ann", "read")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_text().strip()
    assert hub.status("/api/v1/jobs") == 401
    assert hub.status("/api/v1/jobs", first) == 200
    rotated = hub.token("rotate", "ann")
    second = rotated.stdout.strip()
    assert second.startswith("sd1_")
    assert f"sendensed token revoke {first.split('_')[1]}" in rotated.stderr
    third = hub.token("rotate", "ann")
    assert third.returncode == 1
    assert "two live" not in third.stdout
    assert "'ann' has 2 live tokens already" in third.stderr
    listed = [json.loads(line) for line in hub.token("list", "--json").stdout.splitlines()]
    assert [(one["name"], one["role"]) for one in listed] == [
        ("admin", "admin"),
        ("ann", "read"),
        ("ann", "read"),
        ("appliance-1", "push"),
    ]
    assert "LAST USED" in hub.token("list").stdout
    assert hub.token("revoke", first.split("_")[1]).returncode == 0
    eventually("the revoked one is refused", lambda: hub.status("/api/v1/jobs", first) == 401)
    assert hub.status("/api/v1/jobs", second) == 200
    assert hub.token("revoke", "nobody").returncode == 6
    link = hub.token("link", "ann", "--hub", hub.url).stdout.strip()
    assert link.startswith(f"{hub.url}/login#sd1_")
    settings = hub.state / "other.toml"
    settings.write_text('listen = "127.0.0.1:4711"\n')
    link = hub.token("link", "ann", "--config", str(settings)).stdout.strip()
    assert link.startswith("http://127.0.0.1:4711/login#sd1_")
    assert hub.token("link", "appliance-1").returncode == 1
    assert hub.token("create", "ann", "--role", "admin").returncode == 1
    assert hub.token("create", "a b", "--role", "read").returncode == 2


def test_tokens_are_made_while_the_hub_is_down_too(hub):
    hub.process.terminate()
    hub.process.wait(timeout=PATIENCE)
    assert hub.token("create", "late", "--role", "read").stdout.startswith("sd1_")


def test_the_command_line_reads_with_a_token_from_a_file_and_says_what_it_lacks(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    refused = command("jobs", "--hub", hub.url)
    assert refused.returncode == 7
    assert "--token-file" in refused.stderr
    refused = command("watch", "--json", "--hub", hub.url)
    assert refused.returncode == 7
    assert refused.stderr.count("\n") == 1
    file = hub.made("ann", "read")
    assert command("jobs", "--hub", hub.url, "--token-file", str(file)).returncode == 0
    monkeypatch.setenv("SENDENSE_TOKEN_FILE", str(file))
    assert command("jobs", "--hub", hub.url).returncode == 0
    monkeypatch.delenv("SENDENSE_TOKEN_FILE")
    own = tmp_path / "sendense" / "token"
    own.parent.mkdir()
    own.write_text(file.read_text())
    own.chmod(0o644)
    open_to_others = command("jobs", "--hub", hub.url)
    assert open_to_others.returncode == 2
    assert "chmod 600" in open_to_others.stderr
    own.chmod(0o600)
    assert command("jobs", "--hub", hub.url).returncode == 0


def test_a_client_sends_with_its_appliances_token_and_not_without(hub, disk):
    source, target = disk("only", MIB)

    def copy(job_id: str, *more: str) -> subprocess.CompletedProcess[bytes]:
        words = [sys.executable, "-m", "clientd", "run", "--json", "--job-id", job_id, "--hub", hub.url]
        words += ["--disk", f"{source}={target}", "--state-dir", str(hub.state / "spool"), "--final-wait", "3"]
        return subprocess.run([*words, *more], capture_output=True, timeout=PATIENCE, check=False)

    admin = (hub.state / "admin.token").read_text().strip()
    copied = copy("backup-own-1", "--token-file", str(hub.state / "appliance-1.token"), "--final-wait", "60")
    assert copied.returncode == 0, copied.stderr
    assert hub.status("/api/v1/jobs/backup-own-1", admin) == 200
    copy("backup-nobody-1")
    assert hub.status("/api/v1/jobs/backup-nobody-1", admin) == 404


def test_a_real_client_stops_when_an_operator_cancels_its_job(hub, disk):
    source, target = disk("only", 8 * MIB)
    words = [sys.executable, "-m", "clientd", "run", "--json", "--job-id", "backup-long-1", "--hub", hub.url]
    words += ["--disk", f"{source}={target}", "--max-rate", "100K", "--state-dir", str(hub.state / "spool")]
    words += ["--token-file", str(hub.state / "appliance-1.token")]
    client = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    admin_file = hub.made("ann", "operate")
    reader = admin_file.read_text().strip()

    def job() -> dict:
        request = urllib.request.Request(f"{hub.url}/api/v1/jobs/backup-long-1")
        request.add_header("Authorization", f"Bearer {reader}")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    eventually("the hub hears of it", lambda: hub.status("/api/v1/jobs/backup-long-1", reader) == 200)
    for said in ("asked to stop", None):
        cancelled = command("cancel", "backup-long-1", "--hub", hub.url, "--token-file", str(admin_file))
        assert cancelled.returncode == 0, cancelled.stderr
        assert said is None or said in cancelled.stdout
    client.communicate(timeout=PATIENCE)
    assert client.returncode not in (0, None)
    eventually("it is cancelled", lambda: job()["job"]["status"] == "cancelled")
    found = job()
    assert found["job"]["bytes_transferred"] < 8 * MIB
    kinds = [(event["kind"], event["said_by"]) for event in found["events"]]
    assert ("cancel", "operator") in kinds
    assert command("cancel", "nothing", "--hub", hub.url, "--token-file", str(admin_file)).returncode == 6


def test_a_doctor_learns_from_the_hub_whether_its_token_may_push(hub, tmp_path):
    reader, pusher = hub.made("reader", "read"), hub.made("pusher", "push")
    wrong = tmp_path / "wrong"
    wrong.write_text(pusher.read_text().strip()[:-1] + "x")
    wrong.chmod(0o600)
    judged = []
    for token in ([], ["--token-file", str(wrong)], ["--token-file", str(reader)], ["--token-file", str(pusher)]):
        options = ["--json", "--hub", hub.url, "--state-dir", str(tmp_path / "client"), *token]
        said = subprocess.run(
            [sys.executable, "-m", "clientd", "doctor", *options],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        findings = {each["check"]: each for each in map(json.loads, said.stdout.splitlines())}
        judged.append((findings["hub"]["verdict"], findings["token"]["sentence"].partition(":")[0]))
    assert judged == [
        ("ok", "the hub wants a token"),
        ("ok", "token refused (401)"),
        ("ok", "token refused (403)"),
        ("ok", "the hub lets us push"),
    ]
