"""Disks: one contract for every kind of disk: in memory, a file, a real block device where there is one, and what
nbdkit and qemu-nbd export."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clientd.config import NbdSettings
from clientd.core import extents
from clientd.core.extents import Extent
from clientd.disk.memory import MemoryDisk, MemoryDisks
from clientd.disk.opening import SystemDisks
from clientd.disk.protocol import Disk
from clientd.errors import DiskError
from tests.clientd import loops, servers
from tests.fakes import disks as pictures

BLOCK = 64 * 1024


NBD = ("nbdkit", "qemu-raw", "qemu-qcow2")
KINDS = ["memory", "file", *(["device"] if loops.AVAILABLE else []), *NBD]

DISKS = SystemDisks(NbdSettings())

Source = Callable[[str], Disk]
Target = Callable[[str], Disk]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def _attach(path: Path, stack: contextlib.ExitStack) -> str:
    return stack.enter_context(loops.attached(path))


def _draw(path: Path, picture: str) -> None:
    with path.open("wb") as file:
        file.truncate(len(picture) * BLOCK)
        for at, each in enumerate(picture):
            if each != "-":
                file.seek(at * BLOCK)
                file.write(pictures.content(each, BLOCK))


def _serve(kind: str, path: Path, stack: contextlib.ExitStack) -> str:
    """The URI of a server that exports the image."""
    if kind == "nbdkit":
        return stack.enter_context(servers.nbdkit("file", str(path)))
    if kind == "qemu-raw":
        return stack.enter_context(servers.qemu_nbd(path, "raw", "--shared=8"))
    image = path.with_suffix(".qcow2")
    servers.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", path, image)
    return stack.enter_context(servers.qemu_nbd(image, "qcow2"))


def _name(kind: str, path: Path, stack: contextlib.ExitStack) -> str:
    if kind in NBD:
        return _serve(kind, path, stack)
    return _attach(path, stack) if kind == "device" else str(path)


@pytest.fixture
def source(kind: str, tmp_path: Path, opened: contextlib.ExitStack) -> Source:
    """Opens a source that shows a picture."""

    def make(picture: str) -> Disk:
        if kind == "memory":
            return MemoryDisks(source=MemoryDisk(pictures.content(picture, BLOCK), "source")).source("source")
        path = tmp_path / "source"
        _draw(path, picture)
        disk = DISKS.source(_name(kind, path, opened))
        opened.callback(disk.close)
        return disk

    return make


@pytest.fixture
def target(kind: str, tmp_path: Path, opened: contextlib.ExitStack) -> Target:
    """Opens a target over old content that shows a picture."""

    def make(picture: str) -> Disk:
        size = len(picture) * BLOCK
        if kind == "memory":
            return MemoryDisks(target=MemoryDisk(pictures.content(picture, BLOCK), "target")).target(
                "target", size
            )
        path = tmp_path / "target"
        _draw(path, picture)
        disk = DISKS.target(_name(kind, path, opened), size)
        opened.callback(disk.close)
        return disk

    return make


def read(disk: Disk, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    with contextlib.closing(disk.lane()) as lane:
        lane.read(offset, memoryview(buffer)).wait()
    return bytes(buffer)


def test_a_source_reads_as_its_picture(source: Source) -> None:
    disk = source("A0C-")
    assert disk.size == disk.measure() == 4 * BLOCK
    assert read(disk, 0, disk.size) == pictures.content("A0C-", BLOCK)
    assert read(disk, BLOCK - 1, 2) == b"A\0"


def test_extents_never_call_data_a_hole_and_cover_the_range(source: Source) -> None:
    disk = source("A-C--F-")
    for offset, length in ((0, disk.size), (BLOCK // 2, 3 * BLOCK), (6 * BLOCK, BLOCK), (0, 0)):
        found = list(disk.extents(offset, length))
        assert extents.total(found) == length
        for extent in found:
            if extent.zero:
                assert read(disk, extent.offset, extent.length) == bytes(extent.length)
        position = offset
        for extent in found:
            assert extent.offset == position
            position = extent.end


def test_holes_are_reported_where_the_disk_knows_them(source: Source, kind: str) -> None:
    found = extents.merge(source("A-C-").extents(0, 4 * BLOCK))
    if kind == "device":
        assert found == [Extent(0, 4 * BLOCK)]
    else:
        picture = [(0, False), (1, True), (2, False), (3, True)]
        assert found == [Extent(at * BLOCK, BLOCK, zero) for at, zero in picture]


def test_reading_past_the_end_names_the_disk_and_the_offset(source: Source, kind: str) -> None:
    disk = source("AB")
    said = "EINVAL" if kind in NBD else f"at offset {2 * BLOCK} failed: it ends there"
    with pytest.raises(DiskError, match=said) as caught:
        read(disk, BLOCK, 2 * BLOCK)
    assert caught.value.path == disk.path


def test_what_is_written_is_read(target: Target) -> None:
    disk = target("----")
    lane = disk.lane()
    lane.write(BLOCK, memoryview(b"x" * BLOCK)).wait()
    lane.write(3 * BLOCK - 1, memoryview(b"yz")).wait()
    assert read(disk, BLOCK, BLOCK) == b"x" * BLOCK
    assert read(disk, 3 * BLOCK - 2, 4) == b"\0yz\0"
    disk.settle(0, disk.size)
    disk.flush()


def test_a_fresh_target_reads_as_zeros_and_others_keep_their_content(target: Target, kind: str) -> None:
    disk = target("AB")
    assert disk.fresh == (kind == "file")
    assert read(disk, 0, disk.size) == (bytes(disk.size) if disk.fresh else pictures.content("AB", BLOCK))


@pytest.mark.parametrize(("offset", "length"), [(0, 2 * BLOCK), (BLOCK + 7, 100), (BLOCK - 1, BLOCK + 2)])
def test_a_zeroed_range_reads_as_zeros_and_its_neighbours_stay(target: Target, offset: int, length: int) -> None:
    disk = target("----")
    lane = disk.lane()
    lane.write(0, memoryview(b"q" * disk.size)).wait()
    lane.zero(offset, length).wait()
    wanted = bytearray(b"q" * disk.size)
    wanted[offset : offset + length] = bytes(length)
    assert read(disk, 0, disk.size) == wanted


def test_writing_past_the_end_of_a_disk_of_fixed_size_is_refused(target: Target, kind: str) -> None:
    disk = target("AB")
    if kind == "file":
        disk.lane().write(disk.size, memoryview(b"x")).wait()  # a file grows; the plan never asks for it
    else:
        with pytest.raises(DiskError, match=r"writing .* failed: (ENOSPC|EINVAL)"):
            disk.lane().write(disk.size, memoryview(b"x" * 512)).wait()


def test_a_target_smaller_than_asked_for_is_refused(
    kind: str, tmp_path: Path, opened: contextlib.ExitStack
) -> None:
    path = tmp_path / "small"
    _draw(path, "A")
    if kind == "file":
        disk = DISKS.target(str(path), 2 * BLOCK)
        opened.callback(disk.close)
        assert disk.size == 2 * BLOCK
        return
    name = "small" if kind == "memory" else _name(kind, path, opened)
    opener = MemoryDisks(small=MemoryDisk(bytes(BLOCK), "small")) if kind == "memory" else DISKS
    with pytest.raises(DiskError, match=f"it has {BLOCK} bytes, {2 * BLOCK} are needed"):
        opener.target(name, 2 * BLOCK)


def test_a_missing_source_is_named(kind: str, tmp_path: Path) -> None:
    opener = MemoryDisks() if kind == "memory" else DISKS
    missing = str(tmp_path / "missing")
    name = f"nbd+unix:///?socket={missing}" if kind in NBD else "missing" if kind == "memory" else missing
    with pytest.raises(DiskError, match=r"opening .*missing failed: ENOENT"):
        opener.source(name)


def test_threads_share_a_disk(target: Target) -> None:
    disk = target("-" * 16)

    def fill(at: int) -> None:
        with contextlib.closing(disk.lane()) as lane:
            lane.write(at * BLOCK, memoryview(bytes([65 + at]) * BLOCK)).wait()
        assert read(disk, at * BLOCK, BLOCK) == bytes([65 + at]) * BLOCK

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(fill, range(16)))
    assert read(disk, 0, disk.size) == b"".join(bytes([65 + at]) * BLOCK for at in range(16))


def test_many_requests_are_under_way_at_once_and_each_has_its_own_data(target: Target) -> None:
    disk = target("-" * 8)
    with contextlib.closing(disk.lane()) as lane:
        writes = [lane.write(at * BLOCK, memoryview(bytes([65 + at]) * BLOCK)) for at in range(8)]
        for pending in reversed(writes):
            pending.wait()
        views = [memoryview(bytearray(BLOCK)) for _ in range(8)]
        reads = [lane.read(at * BLOCK, view) for at, view in enumerate(views)]
        for pending in reversed(reads):
            pending.wait()
    assert [bytes(view) for view in views] == [bytes([65 + at]) * BLOCK for at in range(8)]


def test_a_disk_is_known_again_and_another_one_is_told_from_it(target: Target, tmp_path: Path) -> None:
    disk = target("AB")
    assert disk.identity == disk.identity
    assert str(disk.size) in disk.identity
    assert MemoryDisk(bytes(BLOCK), "other").identity != disk.identity
