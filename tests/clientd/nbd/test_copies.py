"""Copies: whole jobs between real NBD servers: full, incremental, verified, gone on with, from a command."""

import json
import os
import subprocess

import pytest
import trio
import trio.lowlevel
from msgspec.structs import replace

from clientd.disk import resume
from tests.clientd import servers
from tests.clientd.copies import MIB, Copy

NOISE = os.urandom(MIB)


def draw(path, picture: str):
    """An image of one letter a MiB: '-' is a hole, '0' written zeros, anything else noise that begins with it."""
    with path.open("wb") as file:
        file.truncate(len(picture) * MIB)
        for at, each in enumerate(picture):
            if each != "-":
                file.seek(at * MIB)
                file.write(bytes(MIB) if each == "0" else each.encode() + NOISE[1:])
    return path


def qcow2(path, size: int):
    servers.run("qemu-img", "create", "-f", "qcow2", path, size)
    return path


def same(one, other, form: str = "raw") -> bool:
    command = ["qemu-img", "compare", "-f", "raw", "-F", form, str(one), str(other)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


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


def test_what_a_command_serves_is_copied_its_secret_comes_by_a_descriptor_and_it_is_reaped(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    script = tmp_path / "plugin.sh"
    script.write_text(
        '#!/bin/bash\ncase $1 in config) [ $2 = fd ] && [ "$(cat /dev/fd/$3)" = s3cret ] || exit 1 ;;\n'
        "get_size) echo 65536 ;; pread) head -c $3 /dev/zero | tr '\\0' x ;; can_write) exit 3 ;;"
        " *) exit 2 ;; esac\n"
    )
    script.chmod(0o755)
    target = tmp_path / "target"
    command = ("nbdkit", "sh", str(script), "fd={secret}")
    copy = Copy("", str(target), disk={"source_command": command, "source_secret": str(secret)}).go()
    assert copy.job.status == "completed", copy.job.error
    assert target.read_bytes() == b"x" * 65536
    assert subprocess.run(["pgrep", "-f", str(script)], capture_output=True, check=False).stdout == b""


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("nbdkit", "file", "/nowhere/at/all"), "it ended at once with exit code 1; nbdkit said:"),
        (
            ("/nowhere/nbdkit", "null"),
            "starting nbdkit failed: ENOENT (No such file or directory): is it installed?",
        ),
    ],
)
def test_a_command_that_does_not_start_fails_the_job_with_its_own_words(tmp_path, command, sentence):
    copy = Copy("", str(tmp_path / "target"), disk={"source_command": command}).go()
    assert copy.job.status == "failed"
    assert sentence in copy.job.error
    if command[0] == "nbdkit":
        assert "/nowhere/at/all" in copy.job.error


def test_a_command_s_last_words_are_in_the_error_of_the_copy(tmp_path):
    image = draw(tmp_path / "source", "AB")
    command = ("nbdkit", "--filter=error", "file", str(image), "error-pread=EIO", "error-pread-rate=100%")
    copy = Copy("", str(tmp_path / "target"), disk={"source_command": command}).go()
    assert copy.job.status == "failed"
    assert "reading nbdkit at offset " in copy.job.error
    assert "EIO" in copy.job.error
    assert "nbdkit said: " in copy.job.error


def test_a_verified_copy_goes_through_that_phase_and_one_flipped_byte_is_found_and_named(tmp_path, monkeypatch):
    image, target = draw(tmp_path / "source", "A-B0C"), tmp_path / "target"
    assert Copy(str(image), str(target), verify=True).go().job.status == "completed"

    offset = 2 * MIB + 12345
    original = resume.make

    def flip(source, disk, plan, mark):
        made = original(source, disk, plan, mark)
        with target.open("r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 1]))
        return made

    monkeypatch.setattr(resume, "make", flip)
    copy = Copy(str(image), str(target), verify=True).go()
    assert copy.job.status == "failed"
    assert f"verifying {target} at offset {offset} failed: it holds 0x" in copy.job.error
    assert "verifying" in [body.current_phase for body in copy.hub.told]


async def test_an_interrupted_copy_is_gone_on_with_by_the_next_attempt(tmp_path, said):
    image, target = draw(tmp_path / "source", "ABCDEFGH" * 2), tmp_path / "target"
    first = Copy(str(image), str(target), max_rate=8 * MIB)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.run)
        await trio.lowlevel.checkpoint()
        await first.until_copied(4 * MIB)
        first.stops.stop("stopped by SIGTERM")
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


@pytest.mark.parametrize("which", ["source", "target", "untold"])
async def test_what_has_changed_meanwhile_makes_the_copy_begin_again_and_says_so(tmp_path, said, which):
    image, target = draw(tmp_path / "source", "ABCDEFGH"), tmp_path / "target"
    first = Copy(str(image), str(target), max_rate=8 * MIB)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.run)
        await trio.lowlevel.checkpoint()
        await first.until_copied(2 * MIB)
        first.stops.stop("stopped by SIGTERM")
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
        "source": "the source is another one, or has changed since",
        "target": "the target is not as it was left",
        "untold": "whether the source has changed cannot be told: give its change_id",
    }[which]
    assert reason in [line.get("reason") for line in said]
    assert target.read_bytes() == image.read_bytes()


async def test_a_target_that_is_gone_makes_the_copy_begin_again(tmp_path, said):
    image, target = draw(tmp_path / "source", "ABCD"), tmp_path / "target"
    first = Copy(str(image), str(target), max_rate=4 * MIB)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.run)
        await trio.lowlevel.checkpoint()
        await first.until_copied(MIB)
        first.stops.stop("stopped by SIGTERM")
    target.unlink()
    second = await Copy(str(image), str(target), kept=first.checkpoints).run()
    assert second.job.status == "completed"
    assert any("ENOENT" in line.get("reason", "") for line in said)
    assert target.read_bytes() == image.read_bytes()


def test_an_incremental_copy_needs_the_target_that_it_is_for(tmp_path):
    image, target = draw(tmp_path / "source", "AB"), tmp_path / "target"
    changes = tmp_path / "changes.jsonl"
    changes.write_text('{"offset": 0, "length": 65536}\n')
    copy = Copy(str(image), str(target), mode="incremental", disk={"changes": str(changes)}).go()
    assert copy.job.status == "failed"
    assert f"opening {target} failed: ENOENT" in copy.job.error
    assert not target.exists()


def test_a_verification_is_seen_to_move_and_counts_as_nothing_copied(tmp_path):
    image, target = tmp_path / "image", tmp_path / "target"
    image.write_bytes(os.urandom(2 * MIB) + bytes(2 * MIB))
    copy = Copy(str(image), str(target), verify=True, max_rate=4 * MIB)
    copy.settings = replace(copy.settings, telemetry=replace(copy.settings.telemetry, beat=0.02))
    copy.go()
    assert (copy.job.status, copy.job.error) == ("completed", None)
    verified = [body.bytes_verified for body in copy.hub.told if body.current_phase == "verifying"]
    assert verified == sorted(verified)
    assert len(set(verified)) > 3
    assert copy.last.bytes_verified == 4 * MIB
    assert copy.last.bytes_transferred == copy.last.total_bytes
    assert {body.bytes_verified for body in copy.hub.told if body.current_phase == "transferring"} == {0}
