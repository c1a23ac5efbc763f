"""Jobfile: the order that a job file holds, TOML or JSON, read strictly; and an order as such a file.

job_id = "backup-web01-20261123-020000"

[[disk]]
source = "nbd+unix:///sda?socket=/run/sda.sock"
target = "sda.img"
"""

import json
import posixpath
import tomllib
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from clientd.core import address, mistake, rate
from clientd.core.address import is_uri
from clientd.core.order import EXTENTS, DiskOrder, Mode, Order
from schemas import ids, telemetry

Form = Literal["toml", "json"]

LARGEST = 1024 * 1024
"""Most bytes of a job file: 256 disks with long names."""

_SECRET = "{secret}"  # noqa: S105 - the place for one
_MOST_DISKS = telemetry.DISKS

_Name = Annotated[str, Meta(max_length=4096)]
_Word = Annotated[str, Meta(max_length=255)]
_Index = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Rate = Annotated[int, Meta(ge=0, lt=rate.MOST)]

Wrong = mistake.Mistake
"""What a job file cannot say."""


class _Disk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    target: _Name
    source: _Name | None = None
    index: _Index | None = None
    changes: _Name | None = None
    change_id: _Name | None = None
    source_command: Annotated[tuple[_Name, ...], Meta(min_length=1, max_length=256)] | None = None
    source_secret: _Name | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    job_id: str
    disk: Annotated[tuple[_Disk, ...], Meta(min_length=1, max_length=_MOST_DISKS)]
    job_type: _Word | None = None
    vm_name: _Word | None = None
    mode: Mode = "full"
    verify: bool = False
    max_rate: _Rate | str = 0
    progress_job_id: str | None = None


def parse(content: bytes, form: Form, base: str | None) -> Order:
    """The order. A relative path is one below `base`, an absolute directory; without one it is wrong.

    Raises Wrong for the first thing that is not as it must be.
    """
    file = _convert(_load(content, form))
    if problem := ids.job_id_problem(file.job_id):
        raise Wrong("job_id", problem)
    kind = file.job_type or ids.job_type_of(file.job_id)
    if problem := ids.job_type_problem(kind):
        raise Wrong("job_type", problem)
    if file.progress_job_id is not None and (problem := ids.job_id_problem(file.progress_job_id)):
        raise Wrong("progress_job_id", problem)
    return Order(
        job_id=file.job_id,
        job_type=kind,
        vm_name=_text("vm_name", file.vm_name),
        mode=file.mode,
        verify=file.verify,
        max_rate=_max_rate(file.max_rate),
        progress_job_id=file.progress_job_id or "",
        disks=_disks(file, base),
    )


def write(order: Order) -> bytes:
    """The order as a job file in JSON. With absolute paths only, `parse` gives it back."""
    return msgspec.json.encode(
        _File(
            job_id=order.job_id,
            job_type=order.job_type,
            vm_name=order.vm_name or None,
            mode=order.mode,
            verify=order.verify,
            max_rate=order.max_rate,
            progress_job_id=order.progress_job_id or None,
            disk=tuple(
                _Disk(
                    index=disk.index,
                    source=disk.source or None,
                    target=disk.target,
                    changes=disk.changes or None,
                    change_id=disk.change_id or None,
                    source_command=disk.source_command or None,
                    source_secret=disk.source_secret or None,
                )
                for disk in order.disks
            ),
        )
    )


def _load(content: bytes, form: Form) -> Any:
    if len(content) > LARGEST:
        raise Wrong("", f"it has over {LARGEST} bytes", "give the job fewer disks")
    try:
        text = content.decode()
        if form == "toml":
            return tomllib.loads(text)
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except Wrong:
        raise
    except RecursionError:
        raise Wrong("", "it is nested too deeply", "write it as the documents show") from None
    except ValueError as error:  # not UTF-8, not of this form, a number with too many digits
        read_as = "" if form == "json" else "; JSON is read where the name ends in .json, nothing else besides"
        raise Wrong("", f"it is not {form.upper()}: {error}{read_as}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise Wrong(
            "", f"the key '{next(name for name in names if names.count(name) > 1)}' stands twice", "take one out"
        )
    return found


def _no_number(text: str) -> None:
    raise Wrong("", f"it is not JSON: {text} is no number there")


def _convert(content: Any) -> _File:
    try:
        return msgspec.convert(content, _File)
    except msgspec.ValidationError as error:
        raise mistake.of(str(error), ", ".join(get_args(Mode))) from None
    except UnicodeEncodeError:
        raise Wrong("", "it holds half of a character, a lone surrogate") from None


def _disks(file: _File, base: str | None) -> tuple[DiskOrder, ...]:
    disks, places = [], dict[int, int]()
    for at, disk in enumerate(file.disk):
        index = at if disk.index is None else disk.index
        if index in places:
            raise Wrong(f"disk[{at}].index", f"{index} is disk[{places[index]}]'s already", "give it another")
        places[index] = at
        disks.append(_disk(disk, index, f"disk[{at}]", file.mode, base))
    return tuple(disks)


def _disk(disk: _Disk, index: int, place: str, mode: Mode, base: str | None) -> DiskOrder:
    if (disk.source is None) == (disk.source_command is None):
        both = "stand both" if disk.source is not None else "are both missing"
        raise Wrong(f"{place}.source", f"it and source_command {both}: name one of them", "")
    if mode == "incremental" and disk.changes is None:
        raise Wrong(f"{place}.changes", "is missing, which an incremental job cannot do without", "add it there")
    command = tuple(
        _filled(f"{place}.source_command[{at}]", word) for at, word in enumerate(disk.source_command or ())
    )
    if (disk.source_secret is not None) != any(_SECRET in word for word in command):
        raise Wrong(
            f"{place}.source_secret", f"goes together with {_SECRET} in source_command: give both or none", ""
        )
    return DiskOrder(
        index=index,
        target=_disk_name(f"{place}.target", disk.target, base),
        source=_disk_name(f"{place}.source", disk.source, base),
        source_command=command,
        source_secret=_located(f"{place}.source_secret", disk.source_secret, base),
        changes=_changes(f"{place}.changes", disk, base),
        change_id=_text(f"{place}.change_id", disk.change_id),
    )


def _changes(path: str, disk: _Disk, base: str | None) -> str:
    """A dirty bitmap's name or a file: a file has a '/' or the ending of one, or is not of an NBD export."""
    given = disk.changes or ""
    exported = disk.source is not None and is_uri(disk.source)
    if given and exported and "/" not in given and not given.endswith(EXTENTS):
        return _text(path, given)
    return _located(path, disk.changes, base)


def _disk_name(path: str, name: str | None, base: str | None) -> str:
    """An NBD address that can be used as it is, a path made absolute; '' for None."""
    try:
        if name and address.find(_text(path, name)) is not None:
            return name
    except address.Impossible as error:
        raise Wrong(path, str(error), "") from None
    return _located(path, name, base)


def _located(path: str, name: str | None, base: str | None) -> str:
    """A path made absolute; '' for None."""
    if name is None:
        return ""
    _filled(path, name)
    if name.startswith("/"):
        return name
    if base is None:
        raise Wrong(path, f"'{name}' must be an absolute path", "begin it with /")
    return posixpath.join(base, name.removeprefix("./"))


def _filled(path: str, text: str) -> str:
    if not text:
        raise Wrong(path, "must not be empty")
    return _text(path, text)


def _text(path: str, text: str | None) -> str:
    if text and not text.isprintable():  # which no lone surrogate is, either
        raise Wrong(path, "must be printable text")
    return text or ""


def _max_rate(given: int | str) -> int:
    if isinstance(given, int):
        return given
    found = rate.parse(given)
    if found is None:
        raise Wrong("max_rate", f'\'{given}\' is not a rate like 800000, "800K", "50M" or "1G"')
    return found
