"""Flips: bytes of a copied target are others before it is read again. Verification has to name the first one.

    python -m tests.faults.flips --times 1000

Each run draws its image (random data, zeros that are written and holes, with an odd end) and the place from its
number; every second one flips a byte of each chunk behind it, too. The target is a file, every tenth time one
behind an NBD server. Exits 1 where no flip was found, or another than the first.
"""

import argparse
import os
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import structlog

from clientd.disk.opening import SystemDisks
from clientd.disk.protocol import Disk
from tests.clientd import servers
from tests.clientd.copies import Copy

BLOCK = 16 * 1024
BLOCKS = 24
SETTINGS = {"chunk": 2 * BLOCK, "smallest_gap": BLOCK, "zero_chunk": 4 * BLOCK, "workers": 2}


class Flipping(SystemDisks):
    """The machine's disks, of which the target's file at `path` is changed when its content is to be forgotten.

    `flips` are offsets, in order, with what each byte is changed by; `wanted` and `there` are of the first.
    That is when it is written and flushed, and before it is read again.
    """

    def __init__(self, copy: Copy, path: Path, flips: dict[int, int]) -> None:
        super().__init__(copy.settings.nbd)
        self._path = path
        self._flips = flips
        self.there = self.wanted = 0

    def target(self, name: str, size: int, *, keep: bool = False) -> Disk:
        disk = super().target(name, size, keep=keep)
        forget = disk.forget

        def flip() -> None:
            with self._path.open("r+b") as file:
                for offset, by in reversed(self._flips.items()):
                    file.seek(offset)
                    self.wanted = file.read(1)[0]
                    self.there = self.wanted ^ by
                    file.seek(offset)
                    file.write(bytes([self.there]))
            forget()

        disk.forget = flip  # type: ignore[method-assign]
        return disk


def draw(path: Path, chance: random.Random) -> int:
    """An image; returns its size."""
    size = BLOCK * BLOCKS + chance.randrange(BLOCK)
    with path.open("wb") as file:
        file.truncate(size)
        for block in range(BLOCKS + 1):
            match chance.choice(("data", "zero", "hole")):
                case "data":
                    file.seek(block * BLOCK)
                    file.write(chance.randbytes(min(BLOCK, size - block * BLOCK)))
                case "zero":
                    file.seek(block * BLOCK)
                    file.write(bytes(min(BLOCK, size - block * BLOCK)))
    return size


def run(number: int, folder: Path) -> str:
    """What is wrong with how the flip was found; '' where it was."""
    chance = random.Random(number)
    source, target = folder / "source", folder / "target"
    size = draw(source, chance)
    offset = chance.choice((0, size - 1, *[chance.randrange(size)] * 20))
    flips = {offset: chance.randrange(1, 256)}
    if number % 2:
        chunk = SETTINGS["chunk"]
        for start in range(offset - offset % chunk + chunk, size, chunk):
            flips[chance.randrange(start, min(start + chunk, size))] = chance.randrange(1, 256)
    with ExitStack() as serving:
        name = str(target)
        if number % 10 == 9:
            target.touch()
            os.truncate(target, size)
            name = serving.enter_context(servers.nbdkit("file", str(target)))
        copy = Copy(str(source), name, verify=True, copy=SETTINGS)
        copy.disks = disks = Flipping(copy, target, flips)
        copy.go()
    target.unlink()
    said = f"at offset {offset} failed: it holds 0x{disks.there:02x}, the source has 0x{disks.wanted:02x}"
    if copy.job.status == "failed" and copy.last.status == "failed" and said in (copy.job.error or ""):
        return ""
    return f"run {number}: offset {offset} of {size}: {copy.job.status}: {copy.job.error}"


def found(times: int, first: int = 0) -> list[str]:
    """What was wrong in so many runs."""
    with tempfile.TemporaryDirectory(prefix="flips-") as folder:
        return [wrong for number in range(first, first + times) if (wrong := run(number, Path(folder)))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first run")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    wrong = found(options.times, options.first)
    for each in wrong:
        print(each)
    right = options.times - len(wrong)
    print(f"in {right} of {options.times} runs the first flipped byte was found, and its offset named")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
