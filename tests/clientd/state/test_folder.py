"""Folder: job files are found in the order of their coming, and end up where people look for them."""

import os

import pytest

from clientd.errors import UsageError
from clientd.state.folder import Folder


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path / "jobs", 3)
    folder.make()
    folder.make()
    return folder


def put(folder, name: str, when: int = 1):
    path = folder.path / name
    path.write_text(name)
    os.utime(path, (when, when))
    return next(file for file in folder.waiting(99) if file.path == path)


def test_the_folders_are_their_owner_s_alone(folder):
    for path in (folder.path, folder.path / "taken", folder.path / "refused"):
        assert path.stat().st_mode & 0o777 == 0o700


def test_the_oldest_files_come_first_and_no_more_than_asked(folder):
    for name, when in (("b.toml", 2), ("a.json", 3), ("C.TOML", 1), (".d.toml", 0), ("e.txt", 0)):
        (folder.path / name).write_text("")
        os.utime(folder.path / name, (when, when))
    (folder.path / "folder.toml").mkdir()
    assert [file.path.name for file in folder.waiting(99)] == ["C.TOML", "b.toml", "a.json"]
    assert len(folder.waiting(2)) == 2


def test_a_file_of_the_same_name_is_another_file(folder):
    first = put(folder, "a.toml", 1)
    folder.taken(first)
    second = put(folder, "a.toml", 2)
    assert first.origin != second.origin
    folder.taken(second)
    assert sorted(path.name for path in (folder.path / "taken").iterdir()) == ["a.2.toml", "a.toml"]


def test_a_refused_file_has_its_reason_beside_it(folder):
    folder.refused(put(folder, "a.toml"), "it is wrong")
    assert (folder.path / "refused/a.toml.reason").read_text() == "it is wrong\n"


def test_only_the_newest_are_kept(folder):
    for number in range(5):
        folder.refused(put(folder, f"{number}.toml"), "no")
    names = {path.name for path in (folder.path / "refused").iterdir()}
    assert names == {name for number in (2, 3, 4) for name in (f"{number}.toml", f"{number}.toml.reason")}


def test_a_name_that_is_no_text_is_a_name_all_the_same(folder):
    path = folder.path / "\udcff.toml"
    path.write_text("x")
    (file,) = folder.waiting(9)
    file.origin.encode()
    folder.refused(file, "\udcff")
    assert os.listdir(os.fsencode(folder.path / "refused")).count(b"\xff.toml") == 1


def test_a_link_is_moved_and_not_what_it_names(folder, tmp_path):
    (tmp_path / "outside").write_text("x")
    (folder.path / "a.toml").symlink_to(tmp_path / "outside")
    (file,) = folder.waiting(9)
    with pytest.raises(UsageError):
        folder.read(file)
    folder.refused(file, "no")
    assert (tmp_path / "outside").read_text() == "x"
