"""Incremental: what a dirty bitmap or an extents file names is copied, and nothing else."""

import json

import pytest

from tests.clientd import servers
from tests.clientd.copies import MIB, Copy
from tests.clientd.images import NOISE, draw, same


def test_a_dirty_bitmap_says_what_is_copied_and_nothing_else_is(tmp_path):
    image = tmp_path / "source.qcow2"
    raw = draw(tmp_path / "raw", "ABCDEF--")
    servers.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image)
    target = draw(tmp_path / "target", "ABCDEF--")
    servers.run("qemu-img", "bitmap", "--add", "--enable", image, "b0")
    servers.run("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 64k", "-c", "write -z 3M 1M", image)
    servers.run("qemu-io", "-f", "qcow2", "-c", "write -P 9 7M 128k", image)
    with servers.qemu_nbd(image, "qcow2", "-r", "-B", "b0", "--shared=4") as source:
        copy = Copy(source, str(target), mode="incremental", disk={"changes": "b0"}, verify=True).go()
        assert copy.job.status == "completed"
        assert copy.last.bytes_transferred == copy.last.total_bytes == MIB + 64 * 1024 + 128 * 1024
        assert (copy.last.total_kind, copy.last.backup_type) == ("changed", "incremental")
    assert same(target, image, "qcow2")


def test_nothing_changed_is_a_completed_job_that_is_told(tmp_path):
    image = tmp_path / "source.qcow2"
    servers.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", draw(tmp_path / "raw", "AB"), image)
    servers.run("qemu-img", "bitmap", "--add", "--enable", image, "b0")
    target = draw(tmp_path / "target", "AB")
    with servers.qemu_nbd(image, "qcow2", "-r", "-B", "b0", "--shared=4") as source:
        copy = Copy(source, str(target), mode="incremental", disk={"changes": "b0"}).go()
    assert copy.job.status == "completed"
    assert (copy.last.bytes_transferred, copy.last.total_bytes, copy.last.progress_percent) == (0, 0, 100)
    assert copy.hub.told[-1].status == "completed"


def test_a_bitmap_that_is_not_there_makes_a_full_copy_and_says_so(tmp_path, said):
    image = draw(tmp_path / "source", "AB")
    target = draw(tmp_path / "target", "ZZ")
    with servers.qemu_nbd(image, "raw", "-r", "--shared=4") as source:
        copy = Copy(source, str(target), mode="incremental", disk={"changes": "gone"}).go()
    assert copy.job.status == "completed"
    assert copy.last.total_kind == "virtual"
    assert "there is no such dirty bitmap, all is copied" in [line["event"] for line in said]
    assert target.read_bytes() == image.read_bytes()


def test_an_extents_file_in_any_order_and_with_overlaps_says_what_is_copied(tmp_path):
    image = draw(tmp_path / "source", "ABCDEFGH")
    target = draw(tmp_path / "target", "Z" * 8)
    changes = tmp_path / "changes.jsonl"
    ranges = [(6 * MIB, MIB), (2 * MIB, MIB), (2 * MIB + 100, MIB), (0, 0), (7 * MIB, 99 * MIB)]
    changes.write_text("".join(json.dumps({"offset": at, "length": size}) + "\n" for at, size in ranges))
    with servers.nbdkit("-r", "file", str(image)) as source:
        copy = Copy(source, str(target), mode="incremental", disk={"changes": str(changes)}).go()
    assert copy.job.status == "completed"
    assert copy.last.bytes_transferred == copy.last.total_bytes == 3 * MIB + 100
    there, wanted = target.read_bytes(), image.read_bytes()
    assert there[2 * MIB : 3 * MIB + 4096] == wanted[2 * MIB : 3 * MIB + 4096]
    assert there[6 * MIB :] == wanted[6 * MIB :]
    assert there[:MIB] == b"Z" + NOISE[1:]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"offset": 0}\n', "line 1: Object missing required field 'length'"),
        ('{"offset": 99999999999, "length": 1}\n', "it names a change at 99999999999, beyond the 1048576 bytes"),
        (None, "ENOENT"),
    ],
)
def test_changes_that_cannot_be_meant_fail_the_job_before_the_target_is_touched(tmp_path, content, sentence):
    image, target = draw(tmp_path / "source", "A"), draw(tmp_path / "target", "Z")
    changes = tmp_path / "changes.jsonl"
    if content is not None:
        changes.write_text(content)
    copy = Copy(str(image), str(target), mode="incremental", disk={"changes": str(changes)}).go()
    assert copy.job.status == "failed"
    assert sentence in copy.job.error
    assert target.read_bytes()[:1] == b"Z"


def test_an_incremental_copy_needs_the_target_that_it_is_for(tmp_path):
    image, target = draw(tmp_path / "source", "AB"), tmp_path / "target"
    changes = tmp_path / "changes.jsonl"
    changes.write_text('{"offset": 0, "length": 65536}\n')
    copy = Copy(str(image), str(target), mode="incremental", disk={"changes": str(changes)}).go()
    assert copy.job.status == "failed"
    assert f"opening {target} failed: ENOENT" in copy.job.error
    assert not target.exists()
