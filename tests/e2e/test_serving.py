"""`sendensed serve` in its variants, as processes: workers, TLS, senders without a token; and what goes wrong."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import trio

from sendensed.store import bridge
from tests.e2e.conftest import Hub, children, eventually, processes_that_name, until_taken
from tests.ports import free_port
from tests.waits import PATIENCE

QUICK = "hung_after = 4\n[reaper]\nbeat = 0.5\ngap = 3\n"


def post_legacy(port: int, job_id: str, sequence: int) -> dict:
    """As the original sender does: no token, no TLS, a connection of its own."""
    body = json.dumps({"status": "running", "sequence": sequence}).encode()
    address = f"http://127.0.0.1:{port}/api/v1/telemetry/backup/{job_id}"
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})

    def push() -> dict:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    return until_taken(push)


def listeners_at(port: int) -> int:
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(line[1].split(":")[1], 16) == port and line[3] == "0A" for line in lines)


def test_workers_share_the_address_for_senders_without_a_token(make_hub):
    port = free_port()
    hub = make_hub(f'legacy_listen = "127.0.0.1:{port}"\nlegacy_appliance = "old-site"\n', workers=2)
    assert listeners_at(port) == 2
    for sequence in range(1, 21):  # a connection each: both workers take some
        assert post_legacy(port, "backup-old", sequence)["applied"]
    job = hub.job("backup-old")["job"]
    assert (job["sequence"], job["appliance"]) == (20, "old-site")
    assert hub.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_the_embedded_database_has_one_name_however_many_serve(make_hub, workers: int):
    assert make_hub(workers=workers).get("/api/v1/health")["database"] == "embedded PostgreSQL"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_database_that_is_named_is_told_without_who_uses_it(make_hub, postgres_dsn, workers: int):
    hub = make_hub(database=postgres_dsn, workers=workers)
    name = postgres_dsn.partition("?")[0].rpartition("/")[2]
    assert hub.get("/api/v1/health")["database"] == f"postgresql:///{name}"


def certified(folder: Path, name: str) -> None:
    """A self-signed certificate and its key, in the place of those that were there."""
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "90"]
    words += ["-keyout", folder / "hub.key", "-out", folder / "hub.pem"]
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)


def shown(port: int) -> str:
    """The certificate that a new connection is shown."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=PATIENCE)


@pytest.mark.parametrize("workers", [1, 2])
def test_at_sighup_new_connections_get_the_new_certificate_and_those_without_tls_go_on(
    make_hub, tmp_path, workers: int
):
    certified(tmp_path, "first")
    first = (tmp_path / "hub.pem").read_text()
    port = free_port()
    hub = make_hub(
        f'legacy_listen = "127.0.0.1:{port}"\nlegacy_appliance = "old-site"\n'
        f'[tls]\ncertificate = "{tmp_path}/hub.pem"\nkey = "{tmp_path}/hub.key"\n',
        workers=workers,
    )
    assert shown(hub.port) == first
    certified(tmp_path, "second")
    second = (tmp_path / "hub.pem").read_text()
    assert second != first
    assert post_legacy(port, "backup-old", 1)["applied"]
    hub.process.send_signal(signal.SIGHUP)
    eventually("all show the new certificate", lambda: {shown(hub.port) for _ in range(8)} == {second})
    assert post_legacy(port, "backup-old", 2)["applied"]
    (tmp_path / "hub.pem").write_text("no certificate")
    hub.process.send_signal(signal.SIGHUP)
    eventually("the log says so", lambda: "the old one stays" in (hub.state / "hub.log").read_text())
    assert {shown(hub.port) for _ in range(8)} == {second}
    context = ssl.create_default_context(cadata=second)
    with urllib.request.urlopen(
        f"https://127.0.0.1:{hub.port}/api/v1/health", context=context, timeout=PATIENCE
    ) as answer:
        assert json.load(answer)["ready"]
    assert hub.stop() == 0


def test_a_worker_that_hangs_is_killed_and_another_one_takes_its_place(make_hub):
    hub = make_hub(QUICK, workers=2)
    first = eventually("two serve", lambda: len(found := children(hub.process.pid)) == 2 and found)
    os.kill(first[0], signal.SIGSTOP)
    eventually(
        "another one serves",
        lambda: (
            len(found := children(hub.process.pid)) == 2 and first[0] not in found and listeners_at(hub.port) == 2
        ),
    )
    assert "worker hangs, killing it" in (hub.state / "hub.log").read_text()
    assert hub.post("job", status="running", sequence=1)["applied"]
    assert hub.stop() == 0


def failed_start(state: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a start that must fail, and leave no process behind."""
    command = [sys.executable, "-m", "sendensed", "serve", "--open", "--state-dir", state, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    assert processes_that_name(str(state)) == {}
    return done.returncode, done.stderr


@pytest.fixture
def state(open_directory):
    folder = open_directory / "refused"
    folder.mkdir(mode=0o755)
    return folder


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_address_that_is_taken_ends_the_start_with_a_sentence(state, workers: str):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = failed_start(state, "--listen", f"127.0.0.1:{port}", "--workers", workers)
        assert code == 1
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another address" in said
        config = state / "legacy.toml"
        config.write_text(f'legacy_listen = "127.0.0.1:{port}"\nlegacy_appliance = "old-site"\n')
        arguments = ("--listen", "127.0.0.1:0", "--workers", workers, "--config", str(config))
        code, said = failed_start(state, *arguments)
        assert code == 1
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in said


def test_workers_do_not_share_the_address_of_another_hubs_workers(make_hub, state):
    hub: Hub = make_hub(workers=2)
    code, said = failed_start(state, "--listen", f"127.0.0.1:{hub.port}", "--workers", "2")
    assert code == 1
    assert f"cannot listen on 127.0.0.1:{hub.port}: Address already in use" in said
    assert hub.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_certificate_that_cannot_be_read_ends_the_start_with_a_sentence(state, workers: str):
    config = state / "tls.toml"
    config.write_text(f'[tls]\ncertificate = "{state}/none.pem"\nkey = "{state}/none.key"\n')
    arguments = ("--listen", "127.0.0.1:0", "--workers", workers, "--config", str(config))
    code, said = failed_start(state, *arguments)
    assert code == 2
    assert f"the certificate {state}/none.pem with the key {state}/none.key cannot be used" in said


def test_a_worker_that_cannot_start_ends_all_and_says_which_and_why(state, postgres_dsn):
    """The database lets the parent in and then nobody more."""
    database = trio.run(limited, postgres_dsn)
    code, said = failed_start(state, "--listen", "127.0.0.1:0", "--workers", "2", "--database", database)
    assert code == 1
    assert "too many connections" in said
    assert "of 2 does not start: see above why" in said.splitlines()[-1]
    assert "Traceback" not in said


async def limited(dsn: str) -> str:
    async with bridge.open_pool(dsn, max_size=1) as pool:
        await pool.execute("""
            DROP ROLE IF EXISTS limited;
            CREATE ROLE limited LOGIN CONNECTION LIMIT 2;
            GRANT ALL ON SCHEMA public TO limited;
            GRANT ALL ON ALL TABLES IN SCHEMA public TO limited;
            GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO limited""")
    return dsn.replace("postgres@", "limited@")
