"""File: what only files and devices know: flags, links, holes, half-done reads and writes."""

import contextlib
import errno
import os
import re
import stat

import pytest

from clientd.core import extents
from clientd.core.extents import Extent
from clientd.disk import file, kernel
from clientd.disk.file import FileDisks
from clientd.errors import DiskError


def test_a_target_is_made_private_and_an_old_one_is_emptied(tmp_path):
    path = tmp_path / "target"
    FileDisks().target(str(path), 4096).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"old" * 5000)
    disk = FileDisks().target(str(path), 8192)
    disk.close()
    assert path.read_bytes() == bytes(8192)
    assert path.stat().st_blocks == 0


def test_a_source_is_never_writable(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"x" * 4096)
    disk = FileDisks().source(str(path))
    with pytest.raises(DiskError, match="EBADF"):
        disk.write(0, memoryview(b"y"))
    disk.close()
    assert path.read_bytes() == b"x" * 4096


@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_in_the_target_s_place_is_not_followed(tmp_path, dangling):
    elsewhere = tmp_path / "elsewhere"
    if not dangling:
        elsewhere.write_bytes(b"precious")
    (tmp_path / "link").symlink_to(elsewhere)
    with pytest.raises(DiskError, match="ELOOP"):
        FileDisks().target(str(tmp_path / "link"), 4096)
    assert elsewhere.exists() != dangling


@pytest.mark.parametrize("opening", [FileDisks().source, lambda name: FileDisks().target(name, 1)])
def test_what_is_no_disk_is_refused_and_not_kept_open(opening):
    before = os.listdir("/proc/self/fd")
    with pytest.raises(DiskError, match="neither a file nor a block device"):
        opening("/dev/null")
    assert os.listdir("/proc/self/fd") == before


def test_a_target_that_cannot_have_its_size_is_refused_and_not_kept_open(tmp_path):
    before = os.listdir("/proc/self/fd")
    with pytest.raises(DiskError, match=r"opening .* failed: E"):
        FileDisks().target(str(tmp_path / "target"), 2**62)
    assert os.listdir("/proc/self/fd") == before


def test_a_file_that_another_copy_writes_is_refused_and_keeps_its_content(tmp_path):
    path = tmp_path / "target"
    disk = FileDisks().target(str(path), 4096)
    disk.write(0, memoryview(b"x" * 4096))
    with pytest.raises(DiskError, match="another process is writing it"):
        FileDisks().target(str(path), 8192)
    assert path.read_bytes() == b"x" * 4096
    disk.close()
    FileDisks().target(str(path), 8192).close()
    assert path.read_bytes() == bytes(8192)


def test_where_the_file_system_knows_no_locks_a_target_is_opened_without(tmp_path, monkeypatch):
    monkeypatch.setattr(file.fcntl, "flock", failing(errno.ENOLCK))
    FileDisks().target(str(tmp_path / "target"), 4096).close()
    assert (tmp_path / "target").stat().st_size == 4096


def test_a_source_cut_before_it_was_mapped_has_no_hole_there(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"x" * 8192)
    disk = FileDisks().source(str(path))
    os.truncate(path, 0)
    with pytest.raises(DiskError, match=r"mapping .* at offset 0 failed: ENXIO"):
        list(disk.extents(0, disk.size))
    assert disk.measure() == 0
    disk.close()


def test_short_reads_and_writes_are_gone_on_with(tmp_path, monkeypatch):
    path = tmp_path / "disk"
    real_write, real_read = os.pwrite, os.preadv
    monkeypatch.setattr(file.os, "pwrite", lambda fd, view, at: real_write(fd, view[:7], at))
    monkeypatch.setattr(file.os, "preadv", lambda fd, views, at: real_read(fd, [views[0][:5]], at))
    disk = FileDisks().target(str(path), 100)
    content = bytes(range(100))
    disk.write(0, memoryview(content))
    buffer = bytearray(100)
    disk.read_into(0, memoryview(buffer))
    disk.close()
    assert buffer == content == path.read_bytes()


def test_a_source_that_shrank_is_an_error_at_the_new_end(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"x" * 10000)
    disk = FileDisks().source(str(path))
    os.truncate(path, 6000)
    message = "at offset 6000 failed: it ends there, though it had 10000 bytes"
    with pytest.raises(DiskError, match=message):
        disk.read_into(4096, memoryview(bytearray(5000)))
    disk.close()


def test_where_holes_cannot_be_punched_zeros_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "punch_hole", lambda *_: False)
    disk = FileDisks().target(str(tmp_path / "target"), 3 * 2**20)
    disk.write(0, memoryview(b"x" * disk.size))
    disk.zero(5, 2 * 2**20)
    disk.close()
    assert (tmp_path / "target").read_bytes() == b"x" * 5 + bytes(2 * 2**20) + b"x" * (2**20 - 5)


@pytest.mark.parametrize("name", ["target", "folder/target"])
def test_a_target_file_s_directory_is_flushed_with_it_once(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    flushed = []
    monkeypatch.setattr(file.os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    disk = FileDisks().target(name, 4096)
    disk.flush()
    disk.flush()
    disk.close()
    there = tmp_path / name
    assert flushed == [there.stat().st_ino, there.parent.stat().st_ino, there.stat().st_ino]


@pytest.mark.parametrize(("number", "sentence"), [(errno.EIO, "flushing .* failed: EIO"), (errno.EINVAL, None)])
def test_a_directory_that_fails_to_be_flushed_is_an_error_where_it_can_be_flushed_at_all(
    tmp_path, monkeypatch, number, sentence
):
    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(file.os, "fsync", fsync)
    disk = FileDisks().target(str(tmp_path / "target"), 4096)
    with pytest.raises(DiskError, match=sentence) if sentence else contextlib.nullcontext():
        disk.flush()
    disk.close()


def test_a_directory_that_may_not_be_opened_is_left_alone(tmp_path, monkeypatch):
    disk = FileDisks().target(str(tmp_path / "target"), 4096)
    with monkeypatch.context() as patched:
        patched.setattr(file.os, "open", failing(errno.EACCES))
        disk.flush()
    disk.close()


def failing(number: int):
    def call(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return call


def test_every_refusal_of_the_kernel_names_operation_disk_and_offset(tmp_path, monkeypatch):
    disk = FileDisks().target(str(tmp_path / "target"), 4096)
    monkeypatch.setattr(file.os, "pwrite", failing(errno.ENOSPC))
    monkeypatch.setattr(file.os, "preadv", failing(errno.EIO))
    monkeypatch.setattr(file.os, "fsync", failing(errno.EDQUOT))
    monkeypatch.setattr(kernel, "punch_hole", failing(errno.EIO))
    monkeypatch.setattr(kernel, "begin_writeback", failing(errno.EIO))
    monkeypatch.setattr(file.os, "lseek", failing(errno.EIO))
    path = str(tmp_path / "target")
    with pytest.raises(DiskError, match=f"writing {path} at offset 7 failed: ENOSPC"):
        disk.write(7, memoryview(b"x"))
    with pytest.raises(DiskError, match=f"reading {path} at offset 8 failed: EIO"):
        disk.read_into(8, memoryview(bytearray(1)))
    with pytest.raises(DiskError, match=f"zeroing {path} at offset 9 failed: EIO"):
        disk.zero(9, 1)
    with pytest.raises(DiskError, match=f"flushing {path} failed: EDQUOT"):
        disk.flush()
    with pytest.raises(DiskError, match=f"measuring {path} failed: EIO"):
        disk.measure()
    with pytest.raises(DiskError, match=f"mapping {path} at offset 0 failed: EIO"):
        list(disk.extents(0, 4096))
    disk.settle(0, 4096)
    disk.close()
    with pytest.raises(DiskError, match=f"closing {path} failed: EBADF"):
        disk.close()


def test_where_the_file_system_knows_no_holes_everything_is_data(tmp_path, monkeypatch):
    disk = FileDisks().target(str(tmp_path / "target"), 8192)
    assert extents.merge(disk.extents(0, 8192)) == [Extent(0, 8192, zero=True)]
    monkeypatch.setattr(file.os, "lseek", failing(errno.EINVAL))
    assert list(disk.extents(0, 8192)) == [Extent(0, 8192)]
    disk.close()


def test_a_kernel_that_reports_no_progress_does_not_hold_us_for_ever(tmp_path, monkeypatch):
    disk = FileDisks().target(str(tmp_path / "target"), 16)
    monkeypatch.setattr(file.os, "lseek", lambda fd, offset, whence: offset)
    assert list(disk.extents(0, 16)) == [Extent(0, 16)]
    disk.close()


def test_a_call_that_the_c_library_lacks_is_one_that_cannot_be_done(monkeypatch):
    monkeypatch.setattr(kernel, "_libc", object())
    assert not kernel.punch_hole(0, 0, 1)
    assert not kernel.begin_writeback(0, 0, 1)
    assert kernel.born(0) is None


def test_a_bad_descriptor_is_a_failure_not_an_inability():
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel.punch_hole(-1, 0, 1)


def test_a_kept_target_that_was_cut_or_written_on_meanwhile_is_another_one(tmp_path):
    path = tmp_path / "target"

    def known(keep=True):
        with contextlib.closing(FileDisks().target(str(path), 8192, keep=keep)) as disk:
            return disk.identity

    first = known(keep=False)
    assert known() == first
    for size in (4096, 8193):
        os.truncate(path, size)
        assert known() != first
        assert known() == first


def test_a_file_that_takes_the_number_of_one_before_is_another_one(tmp_path, monkeypatch):
    path = tmp_path / "target"
    with contextlib.closing(FileDisks().target(str(path), 8192)) as disk:
        before = disk.identity
        assert disk.identity == before
        monkeypatch.setattr(kernel, "born", lambda descriptor: 1)
        assert disk.identity != before


def test_when_a_file_was_made_is_asked_of_the_kernel_and_stays(tmp_path):
    path = tmp_path / "target"
    with path.open("wb") as made:
        told = kernel.born(made.fileno())
        assert told is None or abs(told - os.fstat(made.fileno()).st_mtime_ns) < 10**9
        made.write(b"x")
        os.utime(made.fileno(), ns=(1, 1))
        assert kernel.born(made.fileno()) == told


def test_a_disk_that_cannot_be_looked_at_any_more_is_named(tmp_path):
    disk = FileDisks().target(str(tmp_path / "target"), 16)
    disk.close()
    with pytest.raises(DiskError, match=r"looking at .*/target failed: EBADF"):
        _ = disk.identity


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "make room there, then run the job again"),
        (errno.EACCES, "let the user that clientd runs as use it"),
        (errno.EIO, r"the kernel's log \(dmesg\) tells what is wrong with its device"),
        (errno.EROFS, "mount it writable, or name another target"),
    ],
)
def test_what_the_system_refuses_says_what_to_do_next(number: int, advice: str):
    said = DiskError.of(OSError(number, "no"), "/t", "writing", 7)
    assert re.fullmatch(rf"writing /t at offset 7 failed: \w+ \(no\): {advice}", str(said))
    assert str(DiskError.of(OSError(errno.EINVAL, "no"), "/t", "writing")) == "writing /t failed: EINVAL (no)"
