"""Checkpoints: on the disk they outlive a kill, and what is damaged there counts as none."""

import errno
import sqlite3
import subprocess
import sys

import pytest

from clientd.core.checkpoint import Witness
from clientd.errors import SpoolUnavailable
from clientd.state import database
from clientd.state.checkpoints import SqliteCheckpoints
from tests.contract.test_checkpoints import checkpoint
from tests.fakes.spools import TurnedClock
from tests.waits import PATIENCE

SAVING = """
import os, signal, sys
from pathlib import Path
from clientd.environment import SystemEnvironment
from clientd.state.checkpoints import SqliteCheckpoints
from tests.contract.test_checkpoints import checkpoint
checkpoints = SqliteCheckpoints(Path(sys.argv[1]), "a", SystemEnvironment())
for mark in range(5):
    checkpoints.save(0, checkpoint(mark))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def environment():
    return TurnedClock()


@pytest.fixture
def durable(tmp_path, environment):
    with SqliteCheckpoints(tmp_path / "state", "a", environment) as opened:
        yield opened


def test_what_is_saved_outlives_a_kill(tmp_path, durable):
    subprocess.run([sys.executable, "-c", SAVING, str(tmp_path / "state")], check=False, timeout=PATIENCE)
    assert durable.load(0) == checkpoint(4)


def test_a_damaged_one_is_none_and_the_log_says_so(tmp_path, durable, said):
    durable.save(0, checkpoint(4))
    db = sqlite3.connect(tmp_path / "state" / "checkpoints.db")
    with db:
        db.execute("UPDATE checkpoints SET body = CAST(replace(body, '\"mark\":4', '\"mark\":9') AS BLOB)")
        assert db.total_changes == 1
    db.close()
    assert durable.load(0) is None
    assert [line["event"] for line in said] == ["a checkpoint cannot be used, the disk begins at the start"]


def test_a_damaged_file_is_set_aside_and_the_next_one_is_kept(tmp_path, durable, said):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "checkpoints.db").write_bytes(b"\xff" * 5000)
    assert durable.load(0) is None
    durable.save(0, checkpoint(7))
    assert durable.load(0) == checkpoint(7)
    assert [line["event"] for line in said] == ["a damaged file is set aside, a fresh one begun"]


def test_where_none_can_be_kept_that_is_said_once_and_nothing_is_raised(tmp_path, environment, said):
    (tmp_path / "file").write_bytes(b"")
    with SqliteCheckpoints(tmp_path / "file", "a", environment) as checkpoints:
        checkpoints.save(0, checkpoint(1))
        assert checkpoints.load(0) is None
        checkpoints.clear()
    assert len(said) == 1
    assert said[0]["event"] == "checkpoints cannot be kept: an interrupted disk begins at the start"


def test_one_that_is_too_large_leaves_the_one_before(durable, said):
    durable.save(0, checkpoint(1))
    durable.save(0, checkpoint(2, witnesses=(Witness(0, 1, bytes(300_000)),)))
    assert durable.load(0) == checkpoint(1)
    assert [line["event"] for line in said] == ["a checkpoint is too large to be kept"]


def test_the_oldest_give_way(tmp_path, environment, monkeypatch):
    monkeypatch.setattr("clientd.state.checkpoints._ROWS", 3)
    found = []
    for name in "abcde":
        with SqliteCheckpoints(tmp_path / "state", name, environment) as checkpoints:
            checkpoints.save(0, checkpoint(1))
        environment.pass_(1)
    for name in "abcde":
        with SqliteCheckpoints(tmp_path / "state", name, environment) as checkpoints:
            found.append(checkpoints.load(0) is not None)
    assert found == [False, False, True, True, True]


def test_where_the_file_cannot_be_written_one_is_revoked_with_the_file(
    tmp_path, durable, environment, monkeypatch, said
):
    monkeypatch.setattr(database, "_BUSY", 0.01)
    durable.save(0, checkpoint(4))
    holder = sqlite3.connect(tmp_path / "state" / "checkpoints.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    durable.revoke(0, checkpoint(0))
    holder.close()
    assert "checkpoints cannot be written, those of all jobs are removed" in [line["event"] for line in said]
    with SqliteCheckpoints(tmp_path / "state", "a", environment) as another:
        assert another.load(0) is None
    durable.save(0, checkpoint(5))
    assert durable.load(0) == checkpoint(5)


def test_where_it_cannot_be_removed_either_that_is_an_error_and_a_finished_job_says_so(
    durable, tmp_path, monkeypatch, said
):
    durable.save(0, checkpoint(4))
    monkeypatch.setattr(database, "_BUSY", 0.01)
    monkeypatch.setattr(database.Path, "unlink", _refuse)
    holder = sqlite3.connect(tmp_path / "state" / "checkpoints.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(SpoolUnavailable, match=r"checkpoints\.db: database is locked"):
        durable.revoke(0)
    durable.clear()
    holder.close()
    assert [line["event"] for line in said] == ["the checkpoints of a job that is complete stay"]
    assert durable.load(0) == checkpoint(4)


def _refuse(path, missing_ok=False):
    raise OSError(errno.EROFS, "Read-only file system")
