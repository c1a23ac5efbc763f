"""Device: copies to and from real block devices, where the machine has loop devices to give."""

import os
import subprocess
import sys

import pytest

from clientd.core import plan
from clientd.core.order import DiskOrder
from clientd.disk import check
from clientd.disk.file import FileDisks
from clientd.errors import DiskError, UsageError
from tests.clientd import loops
from tests.fakes import disks as pictures

BLOCK = 64 * 1024
COMMAND = [
    sys.executable,
    "-m",
    "clientd",
    "run",
    "--job-id",
    "x",
    "--hub",
    "http://127.0.0.1:9",
    "--final-wait",
    "0",
]


OLD = "XYXY"


def draw(path, picture):
    path.write_bytes(pictures.content(picture, BLOCK))
    return path


def copied(source, target):
    return subprocess.run([*COMMAND, f"--disk={source}={target}"], capture_output=True, check=False)


def test_a_file_is_copied_over_a_device_s_old_content_and_back(tmp_path):
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.truncate(4 * BLOCK - 512)
        file.write(b"A" * BLOCK)
        file.seek(2 * BLOCK)
        file.write(b"B" + bytes(BLOCK - 1))
    under = draw(tmp_path / "under", OLD)
    with loops.attached(under) as device:
        ran = copied(source, device)
        assert ran.returncode == 0, ran.stderr
        back = copied(device, tmp_path / "back")
        assert back.returncode == 0, back.stderr
        source_again = FileDisks().source(device)
        assert plan.full(source_again.extents(0, source_again.size), source_again.size).kind == "virtual"
        source_again.close()
    assert under.read_bytes() == source.read_bytes() + b"Y" * 512
    assert (tmp_path / "back").read_bytes() == under.read_bytes()


def test_a_device_that_is_too_small_is_refused_and_keeps_its_content(tmp_path):
    source = draw(tmp_path / "source", "AAAAA")
    under = draw(tmp_path / "under", OLD)
    with loops.attached(under) as device:
        ran = copied(source, device)
    assert ran.returncode == 2
    assert f"has {4 * BLOCK} bytes, the source '{source}' has {5 * BLOCK}" in ran.stderr.decode()
    assert under.read_bytes() == pictures.content(OLD, BLOCK)


def test_a_device_in_use_is_refused(tmp_path):
    under = draw(tmp_path / "under", OLD)
    with loops.attached(under) as device:
        holder = os.open(device, os.O_RDWR | os.O_EXCL)
        with pytest.raises(DiskError, match="EBUSY"):
            FileDisks().target(device, BLOCK)
        with pytest.raises(UsageError, match="cannot be opened: EBUSY"):
            check.check([DiskOrder(index=0, source=str(under), target=device)])
        os.close(holder)


def test_a_device_is_known_by_its_number_whatever_its_name(tmp_path):
    under = draw(tmp_path / "under", OLD)
    with loops.attached(under) as device:
        os.symlink(device, tmp_path / "link")
        with pytest.raises(UsageError, match="is the source"):
            check.check([DiskOrder(index=0, source=device, target=str(tmp_path / "link"))])
