"""Verify: the target is read again; a difference is found, named, and copied anew by the next attempt."""

import os

import pytest
from msgspec.structs import replace

from clientd.config import NbdSettings
from clientd.disk import resume
from clientd.disk.opening import SystemDisks
from tests.clientd import servers
from tests.clientd.copies import MIB, Copy
from tests.clientd.images import draw


def test_a_slow_target_is_read_again_by_several_requests_at_once(tmp_path):
    image = draw(tmp_path / "source", "AB" * 16)
    with (
        servers.nbdkit("-r", "file", str(image)) as source,
        servers.nbdkit("--filter=delay", "memory", "32M", "rdelay=60ms") as to,
    ):
        copy = Copy(source, to, verify=True, copy={"remote_workers": 1}).go()
    assert copy.job.status == "completed", copy.job.error
    assert copy.last.bytes_verified == 32 * MIB
    assert copy.outcome.final.seconds < (32 * MIB // NbdSettings().request) * 0.060  # one at a time takes longer


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


@pytest.mark.parametrize("again", [False, True])
def test_a_copy_that_a_verification_found_to_differ_is_made_anew_by_the_next_attempt(tmp_path, said, again):
    image, target = draw(tmp_path / "source", "A-B0C"), tmp_path / "target"

    class Rotting(SystemDisks):
        def target(self, name, size, *, keep=False):
            disk = super().target(name, size, keep=keep)
            forget = disk.forget

            def rot():
                with target.open("r+b") as file:
                    for offset in (0, 3 * MIB + 5):
                        file.seek(offset)
                        byte = file.read(1)[0]
                        file.seek(offset)
                        file.write(bytes([byte ^ 1]))
                forget()

            disk.forget = rot
            return disk

    first = Copy(str(image), str(target), verify=True)
    first.disks = Rotting(first.settings.nbd)
    assert first.go().job.status == "failed"
    second = Copy(str(image), str(target), verify=again, kept=first.checkpoints).go()
    assert second.job.status == "completed"
    assert target.read_bytes() == image.read_bytes()
    assert "a verification found that the copy differed" in [line.get("reason") for line in said]


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
    assert {body.bytes_to_verify for body in copy.hub.told if body.current_phase == "verifying"} == {4 * MIB}
    assert copy.last.bytes_transferred == copy.last.total_bytes
    assert {body.bytes_verified for body in copy.hub.told if body.current_phase == "transferring"} == {0}
