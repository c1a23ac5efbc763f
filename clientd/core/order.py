"""Order: what one job is to do, as a job file or the command line says it, complete and checked."""

from typing import Literal

import msgspec

Mode = Literal["full", "incremental"]


EXTENTS = (".json", ".jsonl", ".ndjson")
"""What the name of an extents file may end in."""


class DiskOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One disk. Exactly one of `source` and `source_command` says where it is read from.

    `source` is a path or an NBD URI; `source_command` the arguments of an nbdkit that is started for this disk
    and stopped after it, `source_secret` a file whose descriptor takes the place of `{secret}` in it. `changes`
    names a dirty bitmap or, with a '/' or an ending of EXTENTS, an extents file. `change_id` stands for the
    source's content: a checkpoint of another one is not gone on with. `index` is the disk's number on the wire.
    """

    index: int
    target: str
    source: str = ""
    source_command: tuple[str, ...] = ()
    source_secret: str = ""
    changes: str = ""
    change_id: str = ""

    @property
    def name(self) -> str:
        """Where it is read from, for people."""
        return self.source or self.source_command[0]

    @property
    def changes_file(self) -> str:
        """The extents file, '' where `changes` names none."""
        return self.changes if "/" in self.changes or self.changes.endswith(EXTENTS) else ""

    @property
    def bitmap(self) -> str:
        """The dirty bitmap, '' where `changes` names none."""
        return "" if self.changes_file else self.changes


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One job. `max_rate` is in bytes per second over all of its disks, 0 is no limit.

    `progress_job_id` is its name at the legacy progress endpoint, '' where that is not to be told of it.
    """

    job_id: str
    job_type: str
    vm_name: str = ""
    mode: Mode = "full"
    verify: bool = False
    max_rate: int = 0
    progress_job_id: str = ""
    disks: tuple[DiskOrder, ...]
