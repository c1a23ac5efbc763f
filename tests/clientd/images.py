"""Images: disks as pictures, files of raw or qcow2, and how they are compared."""

import os
import subprocess

from tests.clientd import servers
from tests.clientd.copies import MIB

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
