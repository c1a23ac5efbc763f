"""Images: real disk images to copy: ext4 file systems with real files in them, made on the spot."""

import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from sendensed.errors import SendensedError

_FILE = 8 * 2**20
"""Largest file put into an image, bytes."""
_BLOCK = 4 * 2**20
"""Bytes compared at a time."""


class Image(msgspec.Struct, frozen=True):
    """A disk image to copy, and where to."""

    source: Path
    target: Path

    def is_copied(self) -> bool:
        """Whether the target equals the source, byte for byte."""
        if not self.target.exists() or self.target.stat().st_size != self.source.stat().st_size:
            return False
        with self.source.open("rb") as source, self.target.open("rb") as target:
            while block := source.read(_BLOCK):
                if block != target.read(_BLOCK):
                    return False
        return True

    def allocated(self) -> int:
        """Bytes of the source that are not holes."""
        return self.source.stat().st_blocks * 512


def make(folder: Path, size: int) -> list[Image]:
    """Two images of `size` bytes in `folder`: one nearly full, one sparse.

    Raises SendensedError where mkfs.ext4 is not there or the file system has no room.
    """
    mkfs = shutil.which("mkfs.ext4", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if mkfs is None:
        raise SendensedError("mkfs.ext4 is not installed: install the package e2fsprogs and run the demo again")
    try:
        return [_image(mkfs, folder, name, size, share) for name, share in (("system", 0.75), ("data", 0.2))]
    except OSError as error:
        raise SendensedError(
            f"cannot make the disk images in {folder}: {error.strerror}; free some space"
        ) from None


def _image(mkfs: str, folder: Path, name: str, size: int, share: float) -> Image:
    files = folder / f"{name}-files"
    _write_files(files, int(size * share))
    source = folder / f"{name}.img"
    made = subprocess.run(
        [mkfs, "-q", "-F", "-m", "0", "-b", "4096", "-L", name, "-d", files, source, f"{size // 1024}k"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise SendensedError(f"mkfs.ext4 could not make {source}: {made.stderr.strip()}")
    shutil.rmtree(files)
    return Image(source, folder / f"{name}-copy.img")


def _write_files(folder: Path, size: int) -> None:
    """A tree of `size` bytes: files of random content, none larger than the last one's share."""
    number = 0
    while size > 0:
        length = min(size, _FILE)
        path = folder / f"folder-{number // 16:03}" / f"file-{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(length))
        size -= length
        number += 1
