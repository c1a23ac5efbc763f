"""Check: what is wrong with an order is said in one sentence, before anything is touched."""

import os

import pytest

from clientd.core.order import DiskOrder
from clientd.disk import check
from clientd.errors import UsageError


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("source", "other", "old"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "folder").mkdir()
    os.link("source", "twin")
    os.symlink("source", "link")
    os.symlink("nowhere", "dangling")
    os.mkfifo("pipe")
    return tmp_path


def disks(pairs) -> list[DiskOrder]:
    return [DiskOrder(index=index, source=source, target=target) for index, (source, target) in enumerate(pairs)]


def test_a_good_order_passes_and_touches_nothing(place):
    before = sorted(path.name for path in place.iterdir())
    check.check(disks([("source", "new"), ("link", "folder/new"), ("other", "old")]))
    assert sorted(path.name for path in place.iterdir()) == before
    assert (place / "old").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ([("missing", "new")], "the source 'missing' cannot be read: ENOENT"),
        ([("folder", "new")], "the source 'folder' is a directory"),
        ([("pipe", "new")], "the source 'pipe' is neither a file nor a block device"),
        ([("source", "folder")], "the target 'folder' is a directory"),
        ([("source", "pipe")], "the target 'pipe' is neither"),
        ([("source", "no/new")], "has no directory to lie in: create 'no' first"),
        ([("source", "other/new")], "the target 'other/new' cannot be used: ENOTDIR"),
        ([("source", "new/")], "is a directory's name"),
        ([("source", "dangling")], "is a symbolic link to nothing"),
        ([("other", "link")], "the target 'link' is a symbolic link: name the file"),
        ([("source", "source")], "the target 'source' is the source 'source' itself"),
        ([("source", "twin")], "the target 'twin' is the source 'source' itself"),
        ([("source", "new"), ("other", "source")], "the target 'source' is the source 'source' itself"),
        ([("source", "new"), ("other", "./new")], "the target './new' is named twice (also as 'new')"),
        ([("source", "old"), ("other", "folder/../old")], "is named twice"),
        ([("nbd://h/a", "nbd://h/a")], "the target 'nbd://h/a' is the source 'nbd://h/a' itself"),
        ([("source", "nbd://h/a"), ("other", "nbd://h/a")], "is named twice"),
        ([("nbd://h/a", "NBD://h:10809/a")], "is the source 'nbd://h/a' itself"),
        ([("source", "new"), ("nbd://", "dst")], "the NBD address 'nbd://' names no host"),
        ([("source", "nbd://h/a"), ("missing", "nbd://h:0/a\x1b")], "the NBD address 'nbd://h:0/a\ufffd' has"),
        ([("source", "http://h/a")], "none of nbd://"),
        ([("nbd://h/a", "folder")], "the target 'folder' is a directory"),
        ([("missing", "nbd://h/a")], "the source 'missing' cannot be read: ENOENT"),
        ([("source", "\udcff\n/new")], "create '\ufffd\ufffd' first"),
    ],
)
def test_a_bad_order_is_refused_with_what_where_and_what_next(place, pairs, sentence):
    before = sorted(path.name for path in place.iterdir())
    with pytest.raises(UsageError) as caught:
        check.check(disks(pairs))
    assert sentence in str(caught.value)
    assert ": " in str(caught.value)
    assert sorted(path.name for path in place.iterdir()) == before


def test_a_target_that_may_not_be_written_is_refused(place, monkeypatch):
    monkeypatch.setattr(check.os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="'old' may not be written"):
        check.check(disks([("source", "old")]))
    with pytest.raises(UsageError, match=r"'new' may not be created in '\.'"):
        check.check(disks([("source", "new")]))


def test_exports_and_commands_are_left_to_those_who_serve_them(place):
    command = DiskOrder(index=1, source_command=("nbdkit", "null"), target="new", changes="bitmap0")
    check.check([*disks([("nbd://no.example/a", "nbd+unix:///a?socket=/nowhere")]), command])


@pytest.mark.parametrize("field", ["source_secret", "changes"])
def test_the_files_beside_a_disk_must_be_readable(place, field):
    check.check([DiskOrder(index=0, source="source", target="new", **{field: str(place / "other")})])
    with pytest.raises(UsageError, match=r"the file '.*/missing' cannot be read: ENOENT"):
        check.check([DiskOrder(index=0, source="source", target="new", **{field: str(place / "missing")})])
