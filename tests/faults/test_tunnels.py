"""A way to the hub that swallows what is sent, and one that breaks at every byte, before a real hub."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from subprocess import PIPE

import trio

from clientd.config import TelemetrySettings
from sendensed.store import bridge
from tests.e2e.conftest import Hub
from tests.fakes.tunnel import WAYS
from tests.faults.run import running_hub
from tests.faults.senders import DISKS, Account, answer, disk_bytes, job_bytes, update
from tests.faults.tunnels import cutting, swallowing, tunnel_to
from tests.waits import PATIENCE

MIB = 2**20
in_thread = trio.to_thread.run_sync


def test_the_settings_have_a_dead_tunnel_noticed_within_20_s():
    """A beat is due, nobody answers it: that is when it is noticed."""
    settings = TelemetrySettings()
    assert settings.beat + settings.request_timeout <= 20


async def test_nothing_acknowledged_is_lost_in_a_tunnel_that_swallows_requests_and_replies():
    async with running_hub("") as hub:
        outcome = await swallowing(hub, 2, seed=7)
    assert outcome.wrong == []
    assert outcome.answers["TooSlowError"] > 0
    assert outcome.answers["200"] > 100


async def test_connections_to_the_database_that_break_anywhere_end_no_hub_and_lose_nothing_acknowledged(
    postgres_dsn,
):
    outcome = await cutting(postgres_dsn, 5, seed=7)
    assert outcome.wrong == []
    assert len(outcome.back) == 5
    assert set(outcome.answers) <= {"200", "503"}
    assert outcome.answers["200"] > 50 * 5


async def test_a_copy_does_not_wait_for_a_dead_tunnel_which_is_noticed_and_gone_round(tmp_path, nursery):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(20 * MIB))
    async with running_hub("") as hub, tunnel_to(hub.port) as tunnel:
        client = Client("backup-x", tunnel.url, f"{source}={target}", "--max-rate", "1M", "--final-wait", "60")
        nursery.start_soon(client.run)
        await until(lambda: copied(hub, "backup-x") >= MIB)
        tunnel.swallowed = set(WAYS)
        heard = await in_thread(hub.job, "backup-x")
        await until(lambda: "hub not reachable, the copy goes on" in client.said)
        await until(lambda: "job ended" in client.said)
        assert target.read_bytes() == source.read_bytes()
        told = await in_thread(hub.job, "backup-x")
        assert told["job"]["sequence"] >= heard["job"]["sequence"]
        assert told["job"]["status"] == "running"
        tunnel.swallowed = set()
        await until(lambda: client.ended)
        assert (client.ended["status"], client.ended["end_known"]) == ("completed", True)
        job = (await in_thread(hub.job, "backup-x"))["job"]
        assert (job["status"], job["bytes_transferred"]) == ("completed", 20 * MIB)


async def test_a_connection_reset_at_every_byte_of_a_request_and_of_a_reply_halves_no_update():
    async with (
        running_hub("") as hub,
        tunnel_to(hub.port) as tunnel,
        bridge.open_pool(hub.database, max_size=1, connect_timeout=PATIENCE) as pool,
    ):
        account = Account(ends={1: (10**6, "completed")})
        sequence = 10_000  # as many digits from here on
        reply = await push(hub.port, account, sequence)
        whole = {"requests": len(request(account, sequence)), "replies": len(reply)}
        applied = dict.fromkeys(WAYS, 0)
        for way in WAYS:
            for allowed in range(whole[way] + 1):
                sequence += 1
                tunnel.cut = {way: allowed}
                with suppress(OSError, trio.BrokenResourceError):
                    await push(tunnel.near, account, sequence)
                stored = await sequence_of_whole(pool)
                assert stored in (sequence - 1, sequence)
                applied[way] += stored == sequence
                while (answered := await push(hub.port, account, sequence))[9:12] == b"503":
                    await trio.sleep(0.2)  # a hub that gets no time of the machine
                assert answered[9:12] == b"200"
        assert await sequence_of_whole(pool) == sequence
    assert tunnel.resets == sum(whole.values()) + len(WAYS)
    assert applied["requests"] <= 1  # the whole one alone
    assert applied["replies"] >= whole["replies"]  # from its first byte on a reply means a commit


async def sequence_of_whole(pool: bridge.Pool) -> int:
    """The job's sequence in the database, where bytes and disks are those of that very update."""
    rows = await pool.fetch(
        "SELECT sequence, j.bytes_transferred AS job, d.bytes_transferred AS disk"
        " FROM backup_jobs AS j JOIN backup_disks AS d ON backup_job_id = id ORDER BY disk_index"
    )
    position = (1, rows[0]["sequence"])
    assert {row["job"] for row in rows} == {job_bytes(position)}
    assert [row["disk"] for row in rows] == [disk_bytes(position, disk) for disk in range(DISKS)]
    return position[1]


class Client:
    """`clientd run` as a process: `said` is its log so far, `ended` its last word."""

    def __init__(self, job_id: str, hub: str, disk: str, *more: str) -> None:
        command = [sys.executable, "-m", "clientd", "run", "--json", "--job-id", job_id, "--hub", hub]
        self._command = [*command, f"--disk={disk}", *more]
        self.said = ""
        self.ended: dict | None = None

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            process = await trio.lowlevel.open_process(self._command, stdout=PIPE, stderr=PIPE)
            try:
                nursery.start_soon(self._listen, process.stderr)
                said = b"".join([part async for part in process.stdout])
                await process.wait()
                self.ended = json.loads(said.splitlines()[-1])
            finally:
                process.kill()

    async def _listen(self, stream: trio.abc.ReceiveStream) -> None:
        async for part in stream:
            self.said += part.decode()


def request(account: Account, sequence: int) -> bytes:
    body = json.dumps(update(account, (1, sequence))).encode()
    head = "POST /api/v1/telemetry/backup/cut HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def push(port: int, account: Account, sequence: int) -> bytes:
    """The answer. Raises OSError or BrokenResourceError where none came whole."""
    with trio.fail_after(PATIENCE):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(request(account, sequence))
            return await answer(stream)


def copied(hub: Hub, job_id: str) -> int:
    found = hub.job(job_id)
    return found["job"]["bytes_transferred"] if found else 0


async def until(what: Callable[[], object]) -> None:
    """Returns once it is true; what blocks is asked in a thread."""
    with trio.fail_after(PATIENCE):
        while not await in_thread(what):
            await trio.sleep(0.05)
