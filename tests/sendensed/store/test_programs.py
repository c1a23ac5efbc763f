"""Which PostgreSQL programs run, as whom, and what is said where that user cannot reach them."""

import os
import stat
from pathlib import Path

import pytest
import trio

from sendensed.store import embedded, programs
from sendensed.store.programs import CannotRun, Owner

_STRANGER = Owner("stranger", 54321, 54321)


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


def test_missing_programs_are_named(monkeypatch):
    monkeypatch.setattr(programs, "_PACKAGE", "no_such_package")
    with pytest.raises(CannotRun, match="--database"):
        programs.shipped()
