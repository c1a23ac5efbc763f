"""Folder: where job files are put to be taken, and where they end up.

FOLDER/NAME.toml or NAME.json     put there by a rename, whole: written under a name that begins with a dot,
                                  or does not end so
FOLDER/taken/NAME...              in the queue
FOLDER/refused/NAME...            not, and beside it NAME... .reason says why
"""

import os
import stat
from pathlib import Path

import msgspec

from clientd import files
from clientd.core.order import Order

_ENDINGS = (".toml", ".json")


class JobFile(msgspec.Struct, frozen=True):
    """A file that waits. `origin` is this file's and no other's."""

    path: Path
    origin: str
    written: int


class Folder:
    """Blocking calls, from one thread at a time. All raise OSError."""

    def __init__(self, path: Path, kept: int) -> None:
        self.path = path
        self._kept = kept

    def make(self) -> None:
        """All three folders, for us alone where they are new."""
        for folder in (self.path, self.path / "taken", self.path / "refused"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def waiting(self, most: int) -> list[JobFile]:
        """The oldest files that wait, up to so many."""
        found = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.name.lower().endswith(_ENDINGS):
                    continue
                there = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(there.st_mode):
                    origin = f"{there.st_dev}:{there.st_ino}:{there.st_mtime_ns}:{entry.name}"
                    origin = origin.encode(errors="backslashreplace").decode()
                    found.append(JobFile(Path(entry.path), origin, there.st_mtime_ns))
        return sorted(found, key=lambda file: (file.written, file.path.name))[:most]

    def read(self, file: JobFile) -> Order:
        """Raises UsageError."""
        return files.read(file.path)

    def taken(self, file: JobFile) -> None:
        """It is in the queue."""
        self._move(file, self.path / "taken")

    def refused(self, file: JobFile, why: str) -> None:
        """It is not, for this reason."""
        there = self._move(file, self.path / "refused")
        reason = there.with_name(there.name + ".reason")
        reason.write_text(why + "\n", errors="replace")

    def _move(self, file: JobFile, folder: Path) -> Path:
        there, number = folder / file.path.name, 1
        while os.path.lexists(there):
            number += 1
            there = folder / f"{file.path.stem}.{number}{file.path.suffix}"
        os.rename(file.path, there)
        self._tidy(folder)
        return there

    def _tidy(self, folder: Path) -> None:
        """The newest stay."""
        names = [path for path in folder.iterdir() if path.suffix != ".reason"]
        names.sort(key=lambda path: path.lstat().st_ctime_ns)
        for path in names[: -self._kept]:
            path.unlink(missing_ok=True)
            path.with_name(path.name + ".reason").unlink(missing_ok=True)
