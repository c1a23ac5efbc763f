"""Requests: how large they are and how many are under way, by the way to a server and by what it tells."""

import contextlib
import re

import pytest
from msgspec.structs import replace

from clientd.config import KIB, MIB, CopySettings, NbdSettings, copy_settings
from clientd.disk.nbd import wire
from clientd.disk.opening import SystemDisks
from tests.clientd import servers
from tests.clientd.copies import Copy

SIZE = 32 * MIB
NEAR = NbdSettings(far=60.0)
FAR = NbdSettings(far=0.0)
LIMITS = ["blocksize-minimum=512", "blocksize-maximum=64k", "blocksize-error-policy=error"]


@contextlib.contextmanager
def qemu(folder):
    image = folder / "image"
    image.touch()
    with image.open("r+b") as file:
        file.truncate(SIZE)
    with servers.qemu_nbd(image, "raw", "--shared=8") as uri:
        yield uri


@contextlib.contextmanager
def serving(way, folder):
    """The URI of an export of 32 MiB of a pattern, or of zeros."""
    with contextlib.ExitStack() as started:
        match way:
            case "unix":
                yield started.enter_context(servers.nbdkit("-r", "pattern", str(SIZE)))
            case "tcp":
                yield started.enter_context(servers.nbdkit_tcp("-r", "pattern", str(SIZE)))
            case "qemu":
                yield started.enter_context(qemu(folder))
            case "limited":
                limited = ["-r", "--filter=blocksize-policy", "pattern", str(SIZE), *LIMITS]
                yield started.enter_context(servers.nbdkit(*limited))


@contextlib.contextmanager
def opened(way, settings, folder):
    with serving(way, folder) as uri, contextlib.closing(SystemDisks(settings).source(uri)) as disk:
        yield disk


def room(disk, size):
    """How many requests of this size a worker has under way."""
    with contextlib.closing(disk.lane()) as lane:
        return most(lane, size)


def most(lane, size):
    return next(count for count in range(100) if not lane.room(count, count * size))


@pytest.mark.parametrize(
    ("way", "request_size", "under_way"),
    [("unix", MIB, 3), ("tcp", 512 * KIB, 2), ("qemu", 512 * KIB, 3), ("limited", 64 * KIB, 16)],
)
def test_a_near_server_gets_what_suits_the_way_to_it(tmp_path, way, request_size, under_way):
    with opened(way, NEAR, tmp_path) as disk:
        assert not disk.far
        assert (disk.request, room(disk, disk.request)) == (request_size, under_way)
        assert room(disk, 64 * KIB) == 16


@pytest.mark.parametrize(
    ("way", "request_size"), [("unix", MIB), ("tcp", MIB), ("qemu", MIB), ("limited", 64 * KIB)]
)
def test_a_far_server_gets_larger_requests_within_what_it_takes(tmp_path, way, request_size):
    with opened(way, FAR, tmp_path) as disk:
        assert disk.far
        assert disk.request == request_size


def test_a_server_that_was_only_busy_for_a_moment_is_not_far(tmp_path):
    mark = tmp_path / "mark"
    pread = f"pread=mkdir {mark} 2>/dev/null && sleep 0.5; head -c $3 /dev/zero"
    with (
        servers.nbdkit("-r", "eval", f"get_size=echo {SIZE}", pread, "thread_model=echo parallel") as uri,
        contextlib.closing(SystemDisks(NbdSettings(far=0.4)).source(uri)) as disk,
    ):
        assert mark.exists()
        assert not disk.far


def test_a_far_server_has_as_many_bytes_under_way_as_the_way_holds():
    with (
        servers.nbdkit("-r", "--filter=delay", "pattern", str(SIZE), "rdelay=6ms") as uri,
        contextlib.closing(SystemDisks(NbdSettings()).source(uri)) as disk,
    ):
        assert disk.far
        assert 6 <= room(disk, MIB) <= 16
        assert room(disk, 64 * KIB) == NbdSettings().requests


def test_a_worker_begins_with_what_is_known_of_the_way_and_waits_for_no_first_answer():
    with (
        servers.nbdkit("-r", "--filter=delay", "pattern", str(SIZE), "rdelay=6ms") as uri,
        contextlib.closing(SystemDisks(NbdSettings()).source(uri)) as disk,
        contextlib.closing(disk.lane()) as first,
        contextlib.closing(disk.lane()) as second,
    ):
        assert most(second, MIB) == most(first, MIB) >= 6
    with (
        servers.nbdkit("memory", str(SIZE)) as uri,
        contextlib.closing(SystemDisks(NbdSettings()).target(uri, SIZE)) as disk,
    ):
        assert room(disk, MIB) > NbdSettings().local_requests


def moved(kind, log):
    """The bytes of every read of data, or write, that nbdkit's log tells of."""
    found = [int(count, 16) for count in re.findall(rf" {kind} id=\S+ offset=\S+ count=(0x[0-9a-f]+) ", log)]
    return [bytes_ for bytes_ in found if bytes_ > wire.SECTOR]


@pytest.mark.parametrize(
    ("target", "far", "size"),
    [
        (servers.nbdkit, 60.0, NEAR.local_request),
        (servers.nbdkit_tcp, 60.0, NEAR.request),
        (servers.nbdkit, 0.0, FAR.far_request),
        (servers.nbdkit_tcp, 0.0, FAR.far_request),
    ],
)
@pytest.mark.parametrize("asked", [0, 4])
def test_from_server_to_server_each_worker_has_a_connection_and_requests_suit_both_ways(
    tmp_path, target, far, size, asked
):
    log = tmp_path / "log"
    with (
        servers.nbdkit("-r", "--filter=log", "pattern", str(SIZE), f"logfile={log}") as source,
        target("memory", str(SIZE)) as to,
    ):
        copy = Copy(source, to, nbd={"far": far})
        copy.settings = replace(copy.settings, copy=copy_settings(asked))
        copy.go()
    assert copy.job.status == "completed", copy.job.error
    told = log.read_text()
    assert moved("Read", told) == [size] * (SIZE // size)
    assert told.count(" Connect ") == (asked or CopySettings().remote_workers)


def test_a_near_server_that_names_block_sizes_gets_no_larger_requests_where_the_other_one_is_far(tmp_path):
    read, written = tmp_path / "read", tmp_path / "written"
    policy = ["blocksize-minimum=512", "blocksize-maximum=32M", "blocksize-error-policy=error"]
    slow = ["-r", "--filter=log", "--filter=delay", "pattern", str(SIZE), "rdelay=300ms", f"logfile={read}"]
    sized = ["--filter=log", "--filter=blocksize-policy", "memory", str(SIZE), *policy, f"logfile={written}"]
    with servers.nbdkit(*slow) as source, servers.nbdkit(*sized) as to:
        copy = Copy(source, to, nbd={"far": 0.15}).go()
    assert copy.job.status == "completed", copy.job.error
    settings = NbdSettings()
    assert moved("Read", read.read_text()) == [settings.far_request] * (SIZE // settings.far_request)
    assert moved("Write", written.read_text()) == [settings.request] * (SIZE // settings.request)
