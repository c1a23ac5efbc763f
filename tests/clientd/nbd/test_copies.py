"""Copies: whole jobs between real NBD servers: full ones, whatever the servers can."""

import pytest

from tests.clientd import servers
from tests.clientd.copies import MIB, Copy
from tests.clientd.images import draw, qcow2, same


def test_a_half_sparse_disk_of_nbdkit_becomes_a_qcow2_behind_qemu_nbd(tmp_path):
    image = draw(tmp_path / "source", "A-" * 16)
    target = qcow2(tmp_path / "target.qcow2", 32 * MIB)
    with servers.nbdkit("-r", "file", str(image)) as source, servers.qemu_nbd(target, "qcow2") as to:
        copy = Copy(source, to).go()
    assert copy.job.status == "completed"
    assert copy.last.bytes_transferred == copy.last.total_bytes == 16 * MIB
    assert copy.last.total_kind == "allocated"
    assert same(image, target, "qcow2")


@pytest.mark.parametrize("shared", ["--shared=8", "--shared=1"])
def test_old_content_of_an_export_is_overwritten_and_its_holes_are_zeroed(tmp_path, shared):
    image = draw(tmp_path / "source", "A--B0C-")
    target = draw(tmp_path / "target", "ZZZZZZZ")
    with servers.qemu_nbd(image, "raw", "-r", shared) as source, servers.qemu_nbd(target, "raw", shared) as to:
        assert Copy(source, to).go().job.status == "completed"
    assert target.read_bytes() == image.read_bytes()


@pytest.mark.parametrize(
    "filters", [["--filter=nozero"], ["--filter=noextents"], ["--filter=fua", "fuamode=emulate"]]
)
def test_a_server_that_can_less_gets_the_same_content(tmp_path, filters):
    image = draw(tmp_path / "source", "A-B0-")
    target = draw(tmp_path / "target", "ZZZZZ")
    options = [word for word in filters if word.startswith("--")]
    values = [word for word in filters if not word.startswith("--")]
    with (
        servers.nbdkit("-r", *options, "file", str(image), *values) as source,
        servers.nbdkit(*options, "file", str(target), *values) as to,
    ):
        assert Copy(source, to).go().job.status == "completed"
    assert target.read_bytes() == image.read_bytes()


@pytest.mark.parametrize("server", ["nbdkit", "qemu-nbd"])
def test_holes_give_a_server_s_old_blocks_back(tmp_path, server):
    image = draw(tmp_path / "source", "A---B---")
    target = draw(tmp_path / "target", "ZZZZZZZZ")
    with (
        servers.nbdkit("-r", "file", str(image)) as source,
        servers.nbdkit("file", str(target))
        if server == "nbdkit"
        else servers.qemu_nbd(target, "raw", "--discard=unmap") as to,
    ):
        assert Copy(source, to).go().job.status == "completed"
    assert target.read_bytes() == image.read_bytes()
    assert target.stat().st_blocks * 512 < 3 * MIB


def test_requests_keep_to_the_largest_payload_that_a_server_takes(tmp_path):
    image = draw(tmp_path / "source", "AB")
    limits = ["blocksize-minimum=512", "blocksize-maximum=65536", "blocksize-error-policy=error"]
    target = draw(tmp_path / "target", "--")
    with (
        servers.nbdkit("-r", "--filter=blocksize-policy", "file", str(image), *limits) as source,
        servers.nbdkit("--filter=blocksize-policy", "file", str(target), *limits) as to,
    ):
        assert Copy(source, to).go().job.status == "completed"
    assert target.read_bytes() == image.read_bytes()


def test_slow_servers_are_asked_for_several_things_at_once(tmp_path):
    image = draw(tmp_path / "source", "AB" * 8)
    slow = ["--filter=delay"]
    with (
        servers.nbdkit("-r", *slow, "file", str(image), "rdelay=20ms") as source,
        servers.nbdkit(*slow, "memory", "16M", "wdelay=20ms") as to,
    ):
        copy = Copy(source, to, copy={"workers": 1}).go()
        assert copy.job.status == "completed"
        servers.run("nbdcopy", to, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == image.read_bytes()
    assert copy.outcome.final.seconds < 64 * 0.040  # what one request at a time takes at the very least
