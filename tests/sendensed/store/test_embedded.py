"""The hub's own PostgreSQL: begun, ended, taken over, revived, and refused with a sentence."""

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from sendensed.store import Change, StoreUnavailable, bridge, embedded, migrate, postmaster, programs
from sendensed.store.postgres import PostgresStore
from sendensed.store.programs import CannotRun, Owner
from tests.fakes.jobs import a_job

_STRANGER = Owner("stranger", 54321, 54321)


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
    assert not Path(f"/proc/{running}").exists() or b"Z" in Path(f"/proc/{running}/stat").read_bytes()


async def test_what_was_stored_is_there_at_the_next_start(open_directory):
    async with embedded.open_embedded(open_directory) as server, bridge.open_pool(server.dsn) as pool:
        await pool.execute("CREATE TABLE t AS SELECT 42 AS n")
    async with embedded.open_embedded(open_directory) as server:
        assert await answer(server.dsn, "SELECT n FROM t") == 42


async def test_only_its_own_user_reaches_it_by_a_socket_and_nobody_by_tcp(open_directory):
    async with embedded.open_embedded(open_directory) as server:
        home = open_directory / "postgres"
        assert {stat.S_IMODE(path.stat().st_mode) for path in (home, home / "run", home / "data")} == {0o700}
        assert await answer(server.dsn, "SHOW listen_addresses") == ""
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
            assert await answer(server.dsn, f"SHOW {setting}") == "on"


async def test_a_cancelled_block_leaves_no_server(open_directory):
    with trio.CancelScope() as scope:
        async with embedded.open_embedded(open_directory):
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert process_of(open_directory) is None


@pytest.mark.parametrize("moment", ["data.new", "data", "data/postmaster.pid"])
async def test_a_start_cancelled_at_any_moment_leaves_no_server_and_the_next_one_works(open_directory, moment):
    async def begin():
        async with embedded.open_embedded(open_directory):
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(begin)
        with trio.fail_after(30):
            while not (open_directory / "postgres" / moment).exists():
                await trio.sleep(0.001)
        nursery.cancel_scope.cancel()
    async with embedded.open_embedded(open_directory) as server:
        assert await answer(server.dsn) == 1


async def test_a_second_hub_on_the_directory_is_refused(open_directory):
    async with embedded.open_embedded(open_directory) as server:
        with pytest.raises(CannotRun, match=f"another hub uses the state directory {open_directory}"):
            async with embedded.open_embedded(open_directory):
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


async def test_the_server_of_a_killed_hub_is_taken_over_and_then_stopped(open_directory):
    left = killed_hub(open_directory)
    async with embedded.open_embedded(open_directory) as server:
        assert process_of(open_directory) == left
        assert await answer(server.dsn) == 1
    assert process_of(open_directory) is None


async def test_a_left_server_that_does_not_answer_is_replaced(open_directory, monkeypatch):
    for bound in ("_ANSWER_TIMEOUT", "STOP_TIMEOUT"):
        monkeypatch.setattr(postmaster, bound, 0.5)
    monkeypatch.setattr(postmaster, "_CONTROL_GRACE", 0.1)
    left = killed_hub(open_directory)
    os.kill(left, signal.SIGSTOP)
    with trio.fail_after(30):
        async with embedded.open_embedded(open_directory) as server:
            assert process_of(open_directory) != left
            assert await answer(server.dsn) == 1


@pytest.mark.parametrize("content", ["", f"{os.getpid()}\n", "1\n/\n0\n5432\n/tmp\n\n  1 2\n", "99999999\n"])
async def test_what_a_dead_server_left_behind_does_not_hinder_a_start(open_directory, content):
    async with embedded.open_embedded(open_directory):
        pass
    data = open_directory / "postgres" / "data"
    (data / "postmaster.pid").write_text(content)
    owner = data.stat()
    os.chown(data / "postmaster.pid", owner.st_uid, owner.st_gid)
    async with embedded.open_embedded(open_directory) as server:
        assert await answer(server.dsn) == 1


async def test_data_that_were_not_finished_are_made_anew(open_directory):
    half = open_directory / "postgres" / "data.new" / "base"
    half.mkdir(parents=True)
    async with embedded.open_embedded(open_directory) as server:
        assert await answer(server.dsn) == 1
    assert not half.exists()


async def test_a_server_that_does_not_start_says_why(open_directory):
    async with embedded.open_embedded(open_directory):
        pass
    (open_directory / "postgres" / "data" / "global" / "pg_control").unlink()
    with pytest.raises(StoreUnavailable, match="could not find the database system"):
        async with embedded.open_embedded(open_directory):
            raise AssertionError


async def test_a_log_starts_anew_with_each_start(open_directory):
    log = open_directory / "postgres" / "server.log"
    async with embedded.open_embedded(open_directory):
        pass
    log.write_text("old lines")
    async with embedded.open_embedded(open_directory):
        assert "old lines" not in log.read_text()
        assert "ready to accept connections" in log.read_text()


async def test_a_directory_with_a_long_path_gets_a_socket_elsewhere_and_leaves_none(open_directory):
    deep = open_directory / ("d" * 60) / "it's ü %2F here"
    async with embedded.open_embedded(deep) as server:
        assert await answer(server.dsn) == 1
        sockets = Path(await answer(server.dsn, "SHOW unix_socket_directories"))
        assert sockets.parent == Path("/tmp")
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert not sockets.exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT, signal.SIGTERM], ids=lambda how: how.name)
async def test_a_server_that_dies_comes_back_and_what_was_acknowledged_is_there(open_directory, how):
    acknowledged = 0
    async with (
        embedded.open_embedded(open_directory) as server,
        trio.open_nursery() as nursery,
        bridge.open_pool(server.dsn) as pool,
    ):
        nursery.start_soon(server.keep_alive)
        await migrate.migrate(pool)
        store = PostgresStore(pool)
        await store.save([Change(a_job(), None)])
        for deaths in range(3):
            process = process_of(open_directory)
            assert process is not None
            nursery.start_soon(_kill, process, how)
            failed = False
            with trio.fail_after(20):
                while not failed or acknowledged < 20 * (deaths + 1):
                    try:
                        job = (await store.load(["backup-web-1"]))["backup-web-1"]
                        assert job.revision - 1 >= acknowledged
                        if await store.save([Change(job, job)]):
                            acknowledged = job.revision
                    except StoreUnavailable:
                        failed = True
                        await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


async def _kill(process: int, how: signal.Signals) -> None:
    await trio.sleep(0.02)  # in the middle of the saves
    os.kill(process, how)


async def test_the_pool_comes_back_after_an_immediate_restart_under_use(open_directory):
    async with embedded.open_embedded(open_directory) as server, bridge.open_pool(server.dsn) as pool:
        data = open_directory / "postgres" / "data"
        owner = data.stat()
        failures = []

        async def ask():
            while len(failures) < 1 or await pool.fetchval("SELECT 1", timeout=1) != 1:
                try:
                    await pool.fetchval("SELECT 1", timeout=1)
                except StoreUnavailable as error:
                    failures.append(str(error))
                    await trio.sleep(0.05)

        async def restart():
            await trio.run_process(
                [programs.shipped() / "pg_ctl", "restart", "-D", data, "-m", "immediate", "-w", "-l", "/dev/null"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                **({"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}),
            )

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                nursery.start_soon(restart)
        assert await pool.fetchval("SELECT 1") == 1


def test_a_directory_is_closed_to_a_stranger_where_a_step_to_it_is_private(tmp_path, open_directory):
    inner = open_directory / "a" / "b"
    inner.mkdir(parents=True)
    assert programs.closed_to(_STRANGER, inner) is None
    inner.parent.chmod(0o700)
    assert programs.closed_to(_STRANGER, inner) == inner.parent
    assert programs.closed_to(Owner("self", inner.stat().st_uid, 54321), inner.parent / "b") is None
    inner.parent.chmod(0o770)
    assert programs.closed_to(Owner("mate", 54321, inner.stat().st_gid), inner) is None


def test_the_data_keep_their_owner(open_directory, monkeypatch):
    data = open_directory / "data"
    data.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: data.stat().st_uid or 4242)
    if data.stat().st_uid == 0:
        with pytest.raises(CannotRun, match="belongs to the user with the id 0"):
            programs.owner_of(data)
    else:
        assert programs.owner_of(data) is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = programs.owner_of(open_directory / "none yet")
    assert found is not None
    assert found.name in {"sendense", "nobody"}


def test_a_private_state_directory_is_refused_with_advice(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "owner_of", lambda data: _STRANGER)
    tmp_path.chmod(0o700)
    with pytest.raises(CannotRun, match=r"'stranger', who cannot enter .*: choose a state directory"):
        trio.run(_open, tmp_path / "state")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


async def _open(state: Path) -> None:
    async with embedded.open_embedded(state):
        raise AssertionError


def test_programs_that_the_user_cannot_reach_are_copied_once(tmp_path):
    private, home = tmp_path / "venv", tmp_path / "home"
    for file in ("pack/pginstall18/bin/postgres", "pack/pginstall18/lib/x.so", "pack.libs/libpq.so"):
        (private / file).parent.mkdir(parents=True, exist_ok=True)
        (private / file).write_text(file)
    private.chmod(0o700)
    home.mkdir()
    bin_directory = private / "pack" / "pginstall18" / "bin"
    copy = programs.reachable(bin_directory, home, _STRANGER)
    assert (copy / "postgres").read_text() == "pack/pginstall18/bin/postgres"
    assert (copy.parents[2] / "pack.libs" / "libpq.so").read_text() == "pack.libs/libpq.so"
    (copy / "postgres").write_text("still the first copy")
    assert programs.reachable(bin_directory, home, _STRANGER) == copy
    assert (copy / "postgres").read_text() == "still the first copy"


async def test_a_copy_of_the_programs_runs(open_directory):
    private = open_directory / "venv"
    private.mkdir(mode=0o700)
    package = programs.shipped().parents[1]
    for part in (package, package.with_name(package.name + ".libs")):
        (private / part.name).symlink_to(part)
    with socket.socket() as _:
        async with embedded.open_embedded(
            open_directory / "state", private / package.name / "pginstall18" / "bin"
        ) as server:
            assert await answer(server.dsn) == 1


def test_missing_programs_are_named(monkeypatch):
    monkeypatch.setattr(programs, "_PACKAGE", "no_such_package")
    with pytest.raises(CannotRun, match="--database"):
        programs.shipped()
