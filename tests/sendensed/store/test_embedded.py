"""The hub's own PostgreSQL: begun, ended, taken over, revived, and refused with a sentence."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import trio

from sendensed.store import Change, StoreUnavailable, bridge, embedded, migrate, postmaster, programs
from sendensed.store.postgres import PostgresStore
from sendensed.store.programs import CannotRun
from tests.fakes.jobs import a_job
from tests.waits import PATIENCE


@pytest.fixture(scope="module")
def made():
    """A state directory that a hub has used before."""
    with tempfile.TemporaryDirectory(prefix="sendense-tests-") as directory:
        Path(directory).chmod(0o755)
        trio.run(use_once, Path(directory))
        yield Path(directory)


@pytest.fixture
def state(made, open_directory):
    """A copy of it, which is quicker to have than a new one."""
    subprocess.run(["cp", "-a", made / "postgres", open_directory], check=True)
    return open_directory


async def use_once(directory: Path) -> None:
    async with embedded.open_embedded(directory):
        pass


def gone(process: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except FileNotFoundError:
        return True


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def until_there(directory: Path, name: str) -> None:
    with trio.fail_after(PATIENCE):
        while not any(directory.glob(name)):
            await trio.sleep(0.001)


def process_of(state: Path) -> int | None:
    """The main process of the server of a state directory."""
    data = state / "postgres" / "data"
    return postmaster.Postmaster(Path(), data, state / "postgres" / "server.log", None).process()


async def answer(dsn: str, sql: str = "SELECT 1"):
    async with bridge.open_pool(dsn) as pool:
        return await pool.fetchval(sql)


async def test_a_server_runs_inside_the_block_and_no_longer(open_directory):
    async with embedded.open_embedded(open_directory) as server:
        running = process_of(open_directory)
        assert running is not None
        assert await answer(server.dsn) == 1
    assert process_of(open_directory) is None
    assert gone(running)


async def test_what_was_stored_is_there_at_the_next_start_and_the_log_begins_anew(state):
    log = state / "postgres" / "server.log"
    async with embedded.open_embedded(state) as server, bridge.open_pool(server.dsn) as pool:
        await pool.execute("CREATE TABLE t AS SELECT 42 AS n")
    log.write_text("old lines")
    async with embedded.open_embedded(state) as server:
        assert await answer(server.dsn, "SELECT n FROM t") == 42
        assert "old lines" not in log.read_text()
        assert "ready to accept connections" in log.read_text()


async def test_only_its_own_user_reaches_it_by_a_socket_and_nobody_by_tcp(state):
    async with embedded.open_embedded(state) as server:
        home = state / "postgres"
        assert {mode_of(path) for path in (home, home / "run", home / "data")} == {0o700}
        assert await answer(server.dsn, "SHOW listen_addresses") == ""
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
            assert await answer(server.dsn, f"SHOW {setting}") == "on"


async def test_a_cancelled_block_leaves_no_server(state):
    with trio.CancelScope() as scope:
        async with embedded.open_embedded(state):
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert process_of(state) is None


@pytest.mark.parametrize("moment", ["data.new*", "data", "data/postmaster.pid"])
async def test_a_start_cancelled_at_any_moment_leaves_no_server_and_the_next_one_works(open_directory, moment):
    async def begin():
        async with embedded.open_embedded(open_directory):
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(begin)
        await until_there(open_directory / "postgres", moment)
        nursery.cancel_scope.cancel()
    async with embedded.open_embedded(open_directory) as server:
        assert await answer(server.dsn) == 1


async def test_a_second_hub_on_the_directory_is_refused(state):
    async with embedded.open_embedded(state) as server:
        with pytest.raises(CannotRun, match=f"another hub uses the state directory {state}"):
            async with embedded.open_embedded(state):
                raise AssertionError
        assert await answer(server.dsn) == 1


_HUB = """
import pathlib, sys, trio
from sendensed.store import embedded
async def main():
    async with embedded.open_embedded(pathlib.Path(sys.argv[1])):
        print("up", flush=True)
        await trio.sleep_forever()
trio.run(main)
"""


def killed_hub(state: Path) -> int:
    """Leaves the server of a hub that was killed; returns the server's main process."""
    with subprocess.Popen([sys.executable, "-c", _HUB, str(state)], stdout=subprocess.PIPE) as hub:
        assert hub.stdout is not None
        assert hub.stdout.readline() == b"up\n"
        hub.kill()
    left = process_of(state)
    assert left is not None
    return left


async def test_the_server_of_a_killed_hub_is_taken_over_and_then_stopped(state):
    left = killed_hub(state)
    async with embedded.open_embedded(state) as server:
        assert process_of(state) == left
        assert await answer(server.dsn) == 1
    assert process_of(state) is None


async def test_a_left_server_that_does_not_answer_is_replaced(state, monkeypatch):
    for bound in ("_ANSWER_TIMEOUT", "STOP_TIMEOUT"):
        monkeypatch.setattr(postmaster, bound, 0.5)
    monkeypatch.setattr(postmaster, "_CONTROL_GRACE", 0.1)
    left = killed_hub(state)
    os.kill(left, signal.SIGSTOP)
    with trio.fail_after(PATIENCE):
        async with embedded.open_embedded(state) as server:
            assert process_of(state) != left
            assert await answer(server.dsn) == 1


async def test_a_process_that_outlives_its_server_and_hangs_does_not_hinder_the_next(state, caplog):
    with trio.fail_after(PATIENCE):
        async with embedded.open_embedded(state) as server, trio.open_nursery() as nursery:
            nursery.start_soon(server.keep_alive)
            postmaster = process_of(state)
            children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
            hung = int(children[0])
            os.kill(hung, signal.SIGSTOP)
            os.kill(postmaster, signal.SIGKILL)
            while process_of(state) in (None, postmaster):
                await trio.sleep(0.02)
            assert gone(hung)
            nursery.cancel_scope.cancel()
    assert f"hangs, killing it: {hung}" in caplog.text


async def test_what_a_dead_server_left_behind_does_not_hinder_a_start(state):
    home = state / "postgres"
    owner = home.stat()
    left_behind = ("", f"{os.getpid()}\n", "1\n/\n0\n5432\n/tmp\n\n  1 2\n", "99999999\n", "no number\n")
    for content in left_behind:
        for path in (home / "data" / "postmaster.pid", home / "run" / ".s.PGSQL.5432.lock"):
            path.write_text(content)
            os.chown(path, owner.st_uid, owner.st_gid)
        async with embedded.open_embedded(state) as server:
            assert await answer(server.dsn) == 1


async def test_data_that_were_not_finished_are_made_anew(open_directory):
    half = open_directory / "postgres" / "data.new" / "base"
    half.mkdir(parents=True)
    async with embedded.open_embedded(open_directory) as server:
        assert await answer(server.dsn) == 1
    assert not half.exists()


async def test_data_that_are_still_made_for_a_killed_hub_are_in_nobody_s_way(open_directory):
    hub = await trio.lowlevel.open_process([sys.executable, "-c", _HUB, open_directory])
    await until_there(open_directory / "postgres", "data.new*/base")
    hub.kill()
    await hub.wait()
    async with embedded.open_embedded(open_directory) as server:
        assert await answer(server.dsn) == 1


async def test_a_server_that_does_not_start_says_why(state):
    (state / "postgres" / "data" / "global" / "pg_control").unlink()
    with pytest.raises(StoreUnavailable, match="could not find the database system"):
        async with embedded.open_embedded(state):
            raise AssertionError


async def test_a_directory_with_a_long_path_gets_a_socket_elsewhere_and_leaves_none(open_directory):
    deep = open_directory / ("d" * 60) / "it's ü %2F here"
    async with embedded.open_embedded(deep) as server:
        assert await answer(server.dsn) == 1
        sockets = Path(await answer(server.dsn, "SHOW unix_socket_directories"))
        assert sockets.parent == Path("/tmp")
        assert mode_of(sockets) == 0o700
    assert sockets.name not in os.listdir("/tmp")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT, signal.SIGINT], ids=lambda how: how.name)
async def test_a_server_that_dies_comes_back_and_what_was_acknowledged_is_there(state, how):
    acknowledged = 0
    async with (
        embedded.open_embedded(state) as server,
        trio.open_nursery() as nursery,
        bridge.open_pool(server.dsn) as pool,
    ):
        nursery.start_soon(server.keep_alive)
        await migrate.migrate(pool)
        store = PostgresStore(pool)
        await store.save([Change(a_job(), None)])
        for _ in range(3):
            process = process_of(state)
            assert process is not None
            nursery.start_soon(_kill, process, how)
            failed = False
            enough = acknowledged + 20
            with trio.fail_after(PATIENCE):
                while not failed or acknowledged < enough:
                    try:
                        job = (await store.load(["backup-web-1"]))["backup-web-1"]
                        assert job.revision - 1 >= acknowledged
                        if await store.save([Change(job, job)]):
                            acknowledged = job.revision
                    except StoreUnavailable:
                        failed = True
                        enough = acknowledged + 20
                        await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


async def _kill(process: int, how: signal.Signals) -> None:
    await trio.sleep(0.02)  # in the middle of the saves
    os.kill(process, how)


async def test_the_pool_comes_back_after_an_immediate_restart_under_use(state):
    async with embedded.open_embedded(state) as server, bridge.open_pool(server.dsn) as pool:
        data = state / "postgres" / "data"
        owner = data.stat()
        began = "SELECT pg_postmaster_start_time()"
        first = await pool.fetchval(began)

        async def ask():
            while True:
                try:
                    if await pool.fetchval(began) != first:
                        return
                except StoreUnavailable:
                    await trio.sleep(0.02)

        async def restart():
            await trio.run_process(
                [programs.shipped() / "pg_ctl", "restart", "-D", data, "-m", "immediate", "-w", "-l", "/dev/null"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                **({"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}),
            )

        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                nursery.start_soon(restart)
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_copy_of_the_programs_runs(open_directory):
    private = open_directory / "venv"
    private.mkdir(mode=0o700)
    package = programs.shipped().parents[1]
    for part in (package, package.with_name(package.name + ".libs")):
        shutil.copytree(part, private / part.name, ignore=shutil.ignore_patterns("pginstall", "*.py", "*.a"))
    binaries = private / package.name / "pginstall18" / "bin"
    async with embedded.open_embedded(open_directory / "state", binaries) as server:
        assert await answer(server.dsn) == 1
