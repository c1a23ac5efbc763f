"""Database: it opens whatever is there, loses what is damaged and nothing else, and waits for nobody for long."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from clientd.errors import SpoolUnavailable
from clientd.state import rows
from clientd.state.spool import SqliteSpool
from tests.fakes.spools import LIMITS, TurnedClock, lot, update
from tests.waits import PATIENCE


@pytest.fixture
def environment():
    return TurnedClock()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def opened(folder, environment):
    made = []

    def make(where: Path = folder) -> SqliteSpool:
        made.append(SqliteSpool(where, environment, limits=LIMITS, sender="clientd/test"))
        return made[-1]

    yield make
    for spool in made:
        spool.close()


def fill(spool, environment, names: str = "abc") -> None:
    for name in names:
        spool.begin(name, "backup", None)
        end = update(environment, 2, job_id=name, status="failed", error="no space")
        spool.save([lot(name, 1, update(environment, 1, job_id=name), end, held=False)])


def works(spool, environment) -> None:
    attempt = spool.begin("new", "backup", None).attempt
    end = update(environment, 1, job_id="new", attempt=attempt, status="completed")
    spool.save([lot("new", attempt, end, held=False)])
    spool.close()
    assert end in [each for found in spool.claim(99) for each in found.waiting]


def small(folder: Path, environment, monkeypatch, names: str = "abc") -> Path:
    """A spool with few and small pages, closed, as one file."""
    connect = sqlite3.connect

    def with_small_pages(*arguments, **more):
        connection = connect(*arguments, **more)
        connection.execute("PRAGMA page_size = 512")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", with_small_pages)
        spool = SqliteSpool(folder, environment, limits=LIMITS, sender="clientd/test")
        fill(spool, environment, names)
        spool.close()
    assert [path.name for path in sorted(folder.iterdir())] == ["owners", "spool.db"]
    return folder / "spool.db"


@pytest.fixture
def quick(monkeypatch):
    """Without waiting for the disk: thousands of files are opened."""
    connect = sqlite3.connect

    class Unsynced(sqlite3.Connection):
        def execute(self, statement, *values):
            return super().execute(statement.replace("synchronous = FULL", "synchronous = OFF"), *values)

    monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: connect(*given, factory=Unsynced, **more))
    monkeypatch.setattr(os, "fsync", lambda file: None)


def damaged_into(folder: Path, content: bytes) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "spool.db").write_bytes(content)
    return folder


def test_a_spool_truncated_at_any_byte_opens_and_takes_events(tmp_path, environment, opened, quick, monkeypatch):
    whole = small(tmp_path / "whole", environment, monkeypatch, "a").read_bytes()
    for length in range(len(whole)):
        spool = opened(damaged_into(tmp_path / "state", whole[:length]))
        works(spool, environment)
        spool.close()


def test_a_spool_with_any_byte_changed_opens_and_tells_nothing_false(
    tmp_path, environment, opened, quick, monkeypatch
):
    whole = small(tmp_path / "whole", environment, monkeypatch).read_bytes()
    told = {
        (each.position, each.body.job_id, each.body.error)
        for found in opened(tmp_path / "whole").claim(9)
        for each in found.waiting
    }
    assert len(told) == 6
    for place in range(0, len(whole), 3):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        spool = opened(damaged_into(tmp_path / "state", bytes(content)))
        for found in spool.claim(99):
            for each in found.waiting:
                known = (each.position, each.body.job_id, each.body.error) in told
                assert known or each.body.error.startswith("interrupted")
                assert found.job_id in "abc"
        works(spool, environment)
        spool.close()


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"\0" * 10_000, b"SQLite format 3\0"])
def test_what_is_no_spool_is_set_aside_and_said(folder, opened, environment, said, content):
    works(opened(damaged_into(folder, content)), environment)
    lost = sorted(folder.glob("spool-damaged-*.db"))
    assert [path.read_bytes() for path in lost] == ([content] if content else [])
    assert [line["event"] for line in said] == ["a damaged file is set aside, a fresh one begun"] * len(lost)


def test_a_spool_of_another_version_is_set_aside_whole(folder, opened, environment, said):
    spool = opened()
    fill(spool, environment)
    spool.close()
    with sqlite3.connect(folder / "spool.db") as db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    works(opened(), environment)
    [lost] = folder.glob("spool-damaged-*.db")
    assert said[0]["error"] == "it is of version 2, this clientd's is 1"
    db = sqlite3.connect(lost)
    assert db.execute("SELECT count(*) FROM events").fetchone() == (6,)
    db.close()


def test_attempts_after_a_loss_are_newer_than_any_before(folder, opened, environment):
    spool = opened()
    assert spool.begin("a", "backup", None).attempt == 1
    spool.close()
    (folder / "spool.db").write_bytes(b"gone")
    assert opened().begin("a", "backup", None).attempt == int(environment.seconds) // 60 + 1


def test_a_few_damaged_files_are_kept_and_no_more(folder, opened, environment):
    for number in range(6):
        spool = opened(damaged_into_again(folder, b"%d" % number * 1000))
        works(spool, environment)
        spool.close()
        environment.pass_(number % 2)
    assert [path.read_bytes() for path in sorted(folder.glob("spool-damaged-*"))] == [
        b"3" * 1000,
        b"4" * 1000,
        b"5" * 1000,
    ]


def damaged_into_again(folder: Path, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "spool.db").write_bytes(content)
    return folder


def test_a_file_that_is_damaged_under_way_is_replaced_under_way(folder, opened, environment):
    spool = opened()
    fill(spool, environment)
    for path in folder.glob("spool.db*"):
        path.write_bytes(b"\xff" * path.stat().st_size)
    works(spool, environment)
    assert list(folder.glob("spool-damaged-*.db"))


def test_a_file_that_is_taken_away_under_way_is_begun_anew_with_what_is_saved(folder, opened, environment):
    spool = opened()
    fill(spool, environment)
    shutil.rmtree(folder)
    end = update(environment, 2, status="failed")
    spool.save([lot("a", 1, end)])
    spool.close()
    assert [found.waiting for found in opened().claim(9)] == [(end,)]


def test_two_processes_that_find_the_same_damage_do_not_set_aside_each_other_s_work(folder, opened, environment):
    first, second = opened(), opened()
    fill(first, environment)
    assert second.holding().waiting == 6
    for path in folder.glob("spool.db*"):
        path.write_bytes(b"\xff" * path.stat().st_size)
    works(first, environment)
    works(second, environment)
    assert len(list(folder.glob("spool-damaged-*.db"))) == 1


def test_a_folder_that_cannot_be_made_is_no_crash(tmp_path, opened):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolUnavailable, match=r"ENOTDIR|EEXIST"):
        opened(tmp_path / "file" / "state").begin("a", "backup", None)


def test_a_spool_that_is_locked_for_long_is_unavailable_and_then_goes_on(folder, opened, environment, monkeypatch):
    monkeypatch.setattr("clientd.state.database._BUSY", 0.01)
    spool = opened()
    fill(spool, environment)
    other = sqlite3.connect(folder / "spool.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SpoolUnavailable, match="locked"):
        spool.save([lot("a", 1)])
    other.execute("ROLLBACK")
    other.close()
    works(spool, environment)


LIMITED = """
import resource, sys
from pathlib import Path
from clientd.environment import SystemEnvironment
from clientd.errors import SpoolUnavailable
from clientd.state import rows
from clientd.state.spool import SqliteSpool
from tests.fakes.spools import LIMITS, lot, update
environment = SystemEnvironment()
spool = SqliteSpool(Path(sys.argv[1]), environment, limits=LIMITS, sender="t")
spool.begin("a", "backup", None)
resource.setrlimit(resource.RLIMIT_FSIZE, (40960, resource.RLIM_INFINITY))
try:
    spool.save([lot("a", 1, update(environment, 1, status="failed", error="x" * 100_000))])
except SpoolUnavailable as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.save([lot("a", 1, update(environment, 1, status="failed", error="x" * 100_000))])
print(spool.holding().waiting)
"""


def test_a_full_disk_is_unavailable_until_there_is_room(folder):
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder)], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    refused, kept = ran.stdout.splitlines()
    assert "disk" in refused
    assert kept == "1"
    assert not list(folder.glob("*damaged*"))


SAVING = """
import sys
from pathlib import Path
from clientd.environment import SystemEnvironment
from clientd.state import database
from clientd.state.spool import SqliteSpool
from tests.fakes.spools import LIMITS, lot, update
database._BUSY = 60.0  # a slow disk's four processes wait for each other
environment = SystemEnvironment()
spool = SqliteSpool(Path(sys.argv[1]), environment, limits=LIMITS, sender="t")
for number in range(25):
    begun = spool.begin("shared", "backup", None)
    end = update(environment, 1, job_id="shared", attempt=begun.attempt, status="failed")
    spool.save([lot("shared", begun.attempt, end, held=False)])
    spool.begin(f"{sys.argv[2]}-{number}", "backup", None)
print("done")
"""


def test_processes_that_write_at_once_lose_nothing_and_see_no_lock(folder, opened):
    writing = [
        subprocess.Popen(
            [sys.executable, "-c", SAVING, str(folder), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(4)
    ]
    for process in writing:
        output, errors = process.communicate(timeout=PATIENCE)
        assert (output, errors) == (b"done\n", b"")
    heir = opened()
    found = heir.claim(999)
    assert sorted(lot.attempt for lot in found if lot.job_id == "shared") == list(range(1, 101))
    assert len([lot for lot in found if lot.job_id != "shared"]) == 100


def test_the_files_are_for_their_owner_alone(folder, opened, environment):
    fill(opened(), environment)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_a_log_of_changes_torn_at_any_byte_loses_the_last_changes_only(
    tmp_path, environment, opened, quick, monkeypatch
):
    small(tmp_path / "whole", environment, monkeypatch, "a")
    spool = opened(tmp_path / "whole")
    spool.begin("z", "backup", None)
    spool.save([lot("z", 1, update(environment, 1, job_id="z", status="failed"), held=False)])
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    log = whole["spool.db-wal"]
    assert len(log) > 1000
    found_both = 0
    for length in range(0, len(log) + 1, 13):
        folder = damaged_into(tmp_path / "state", whole["spool.db"])
        (folder / "spool.db-wal").write_bytes(log[:length])
        torn = opened(folder)
        names = {found.job_id for found in torn.claim(9)}
        assert "a" in names
        found_both += "z" in names
        works(torn, environment)
        torn.close()
        assert not list(folder.glob("*damaged*"))
    assert 0 < found_both < len(log) // 13


@pytest.mark.parametrize("sealed", [True, False])
def test_an_event_that_cannot_be_read_is_set_aside_and_an_end_takes_its_place(
    folder, opened, environment, said, sealed
):
    spool = opened()
    spool.begin("a", "backup", None)
    end = update(environment, 2, status="completed")
    spool.save([lot("a", 1, update(environment, 1), end, held=False)])
    spool.close()
    body, made = b'{"status":"exploded"}', end.made
    seal = rows._seal("a", 1, 2, body, made.boot, made.uptime, made.wall) if sealed else 0
    db = sqlite3.connect(folder / "spool.db")
    with db:
        db.execute("UPDATE events SET body = ?, seal = ? WHERE sequence = 2", (body, seal))
    db.close()
    [found] = opened().claim(9)
    assert [each.body.status for each in found.waiting] == ["running", "failed"]
    assert found.waiting[1].body.error.startswith("interrupted")
    assert opened().holding().aside == 1
    assert [line["event"] for line in said] == ["an event in the spool cannot be read, it is set aside"]
