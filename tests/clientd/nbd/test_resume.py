"""Resume: the next attempt goes on where the last one was, or begins again and says why."""

import json
import os

import pytest
import trio
import trio.lowlevel

from clientd.core.checkpoint import MemoryCheckpoints
from clientd.disk.opening import SystemDisks
from clientd.errors import SpoolUnavailable
from tests.clientd import servers
from tests.clientd.copies import MIB, Copy
from tests.clientd.images import NOISE, draw

OTHER = "the source, or what is to be copied of it, is another one or has changed since"


async def interrupted(copy: Copy, after: int) -> Copy:
    """The copy, run until so many bytes are copied and stopped then."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(copy.run)
        await trio.lowlevel.checkpoint()
        await copy.until_copied(after)
        copy.stops.stop("stopped by SIGTERM")
    return copy


async def test_an_interrupted_copy_is_gone_on_with_by_the_next_attempt(tmp_path, said):
    image, target = draw(tmp_path / "source", "ABCDEFGH" * 2), tmp_path / "target"
    first = Copy(str(image), str(target), max_rate=8 * MIB)
    await interrupted(first, 4 * MIB)
    assert first.job.status == "cancelled"
    left = first.checkpoints.load(0)
    assert left.mark >= 4 * MIB
    second = await Copy(str(image), str(target), kept=first.checkpoints, verify=True).run()
    assert second.job.status == "completed"
    assert ("going on where the last attempt was", left.mark) in [
        (line["event"], line.get("offset")) for line in said
    ]
    assert target.read_bytes() == image.read_bytes()
    assert second.checkpoints.load(0) is None


async def test_an_interrupted_copy_is_gone_on_with_by_chunks_of_another_size(tmp_path, said):
    image, target = draw(tmp_path / "source", "ABCDEFGH"), tmp_path / "target"
    first = Copy(str(image), str(target), max_rate=4 * MIB, copy={"chunk": 448 * 1024})
    await interrupted(first, 2 * MIB)
    mark = first.checkpoints.load(0).mark
    assert mark % MIB
    second = await Copy(str(image), str(target), kept=first.checkpoints, verify=True, copy={"chunk": MIB}).run()
    assert second.job.status == "completed", second.job.error
    assert second.last.bytes_transferred == 8 * MIB
    assert ("going on where the last attempt was", mark) in [(line["event"], line.get("offset")) for line in said]
    assert target.read_bytes() == image.read_bytes()


@pytest.mark.parametrize("which", ["source", "target", "untold"])
async def test_what_has_changed_meanwhile_makes_the_copy_begin_again_and_says_so(tmp_path, said, which):
    image, target = draw(tmp_path / "source", "ABCDEFGH"), tmp_path / "target"
    first = Copy(str(image), str(target), max_rate=8 * MIB)
    await interrupted(first, 2 * MIB)
    source = str(image)
    with servers.nbdkit("-r", "file", source) as uri:
        if which == "source":
            draw(image, "HGFEDCBA")
            os.utime(image, ns=(1, 1))
        elif which == "target":
            with target.open("r+b") as file:
                file.write(bytes(2 * MIB))
        else:
            source = uri
        second = await Copy(source, str(target), kept=first.checkpoints).run()
    assert second.job.status == "completed"
    reason = {
        "source": OTHER,
        "target": "the target is not as it was left",
        "untold": "whether the source has changed cannot be told: give its change_id",
    }[which]
    assert reason in [line.get("reason") for line in said]
    assert target.read_bytes() == image.read_bytes()


@pytest.mark.parametrize("later", [(0, 2, 4, 5), (5, 4, 0)])
async def test_changes_that_are_rewritten_meanwhile_make_the_copy_begin_again_and_their_order_does_not(
    tmp_path, said, later
):
    image, target, changes = draw(tmp_path / "source", "ABCDEF"), tmp_path / "target", tmp_path / "changes.jsonl"

    def report(places):
        changes.write_text("\n".join(json.dumps({"offset": at * MIB, "length": MIB}) for at in places))

    target.write_bytes(bytes(6 * MIB))
    order = {"mode": "incremental", "disk": {"changes": str(changes)}}
    report((0, 4, 5))
    first = Copy(str(image), str(target), max_rate=2 * MIB, copy={"coalesce": 0}, **order)
    await interrupted(first, MIB + MIB // 2)
    assert first.checkpoints.load(0).mark > 4 * MIB
    report(later)
    second = await Copy(str(image), str(target), kept=first.checkpoints, copy={"coalesce": 0}, **order).run()
    assert second.job.status == "completed", second.job.error
    for at in later:
        piece = slice(at * MIB, at * MIB + MIB)
        assert target.read_bytes()[piece] == image.read_bytes()[piece]
    assert (OTHER in [line.get("reason") for line in said]) == (2 in later)


async def test_a_dirty_bitmap_that_holds_more_meanwhile_makes_the_copy_begin_again_and_says_so(tmp_path, said):
    image, target = tmp_path / "source.qcow2", draw(tmp_path / "target", "------")
    servers.run("qemu-img", "convert", "-O", "qcow2", "-f", "raw", draw(tmp_path / "raw", "ABCDEF"), image)
    servers.run("qemu-img", "bitmap", "--add", "--enable", image, "b0")
    servers.run("qemu-io", "-f", "qcow2", "-c", "write -P 7 0 1M", "-c", "write -P 8 4M 2M", image)
    order = {"mode": "incremental", "disk": {"changes": "b0", "change_id": "given"}}
    with servers.qemu_nbd(image, "qcow2", "-r", "-B", "b0", "--shared=4", path=tmp_path / "nbd") as source:
        first = Copy(source, str(target), max_rate=2 * MIB, copy={"coalesce": 0}, **order)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.run)
            await trio.lowlevel.checkpoint()
            await first.until_copied(MIB + MIB // 2)
            first.stops.stop("stopped by SIGTERM")
    assert first.checkpoints.load(0).mark > 4 * MIB
    servers.run("qemu-io", "-f", "qcow2", "-c", "write -P 9 2M 1M", image)
    with servers.qemu_nbd(image, "qcow2", "-r", "-B", "b0", "--shared=4", path=tmp_path / "nbd") as source:
        second = await Copy(source, str(target), kept=first.checkpoints, copy={"coalesce": 0}, **order).run()
    assert second.job.status == "completed", second.job.error
    assert target.read_bytes()[2 * MIB : 3 * MIB] == b"\x09" * MIB
    assert OTHER in [line.get("reason") for line in said]


async def test_a_target_that_is_gone_makes_the_copy_begin_again(tmp_path, said):
    image, target = draw(tmp_path / "source", "ABCD"), tmp_path / "target"
    first = Copy(str(image), str(target), max_rate=4 * MIB)
    await interrupted(first, MIB)
    target.unlink()
    second = await Copy(str(image), str(target), kept=first.checkpoints).run()
    assert second.job.status == "completed"
    assert any("ENOENT" in line.get("reason", "") for line in said)
    assert target.read_bytes() == image.read_bytes()


class Unwritable(MemoryCheckpoints):
    def revoke(self, index, instead=None):
        raise SpoolUnavailable("/state/checkpoints.db: EROFS (Read-only file system)")


async def test_an_old_checkpoint_is_gone_before_the_target_is_begun_anew(tmp_path):
    image, target = draw(tmp_path / "source", "ABCD"), tmp_path / "target"
    first = await interrupted(Copy(str(image), str(target), max_rate=4 * MIB), MIB)
    os.truncate(target, MIB)
    found = []

    class Watching(SystemDisks):
        def target(self, name, size, *, keep=False):
            found.append((keep, first.checkpoints.load(0) is not None))
            return super().target(name, size, keep=keep)

    second = Copy(str(image), str(target), kept=first.checkpoints)
    second.disks = Watching(second.settings.nbd)
    assert (await second.run()).job.status == "completed"
    assert found == [(True, True), (False, False)]
    assert target.read_bytes() == image.read_bytes()


@pytest.mark.parametrize("end", [MIB // 8, 3 * MIB, 5 * MIB])
async def test_a_target_that_was_cut_or_written_on_makes_the_copy_begin_again_whatever_it_holds(
    tmp_path, said, end
):
    image, target = tmp_path / "source", tmp_path / "target"
    image.write_bytes(NOISE[: MIB // 4] + bytes(4 * MIB - MIB // 4))
    first = await interrupted(Copy(str(image), str(target), max_rate=4 * MIB), MIB)
    os.truncate(target, end)
    second = await Copy(str(image), str(target), kept=first.checkpoints).run()
    assert second.job.status == "completed"
    assert "the target is not as it was left" in [line.get("reason") for line in said]
    assert target.read_bytes() == image.read_bytes()


async def test_an_old_checkpoint_that_cannot_be_dropped_fails_the_job_and_the_target_is_not_touched(tmp_path):
    image, target = draw(tmp_path / "source", "ABCD"), tmp_path / "target"
    first = await interrupted(Copy(str(image), str(target), max_rate=4 * MIB), MIB)
    with target.open("r+b") as file:
        file.write(b"other" * 300_000)
    before = target.read_bytes()
    second = await Copy(str(image), str(target), kept=Unwritable(first.checkpoints.kept)).run()
    assert second.job.status == "failed"
    sentence = f"opening {target} failed: an old checkpoint cannot be dropped (/state/checkpoints.db: EROFS"
    assert sentence in second.job.error
    assert target.read_bytes() == before


def test_checkpoints_that_cannot_be_kept_at_all_cost_no_copy(tmp_path):
    image, target = draw(tmp_path / "source", "AB"), tmp_path / "target"
    assert Copy(str(image), str(target), kept=Unwritable()).go().job.status == "completed"
    assert target.read_bytes() == image.read_bytes()
