"""Advice: what an operator does next about a disk's failure, by the number that the system or a server gave."""

import errno

_PATH = "check its path"
_ROOM = "make room there, then run the job again"
_DEVICE = "check that its device is there (lsblk)"
_USER = "let the user that clientd runs as use it"

LOCAL = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: "raise the quota or make room, then run the job again",
    errno.EFBIG: "name a target on a file system that takes files as large",
    errno.EROFS: "mount it writable, or name another target",
    errno.EACCES: _USER,
    errno.EPERM: _USER,
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG), _PATH),
    errno.ENODEV: _DEVICE,
    errno.ENOMEDIUM: _DEVICE,
    errno.ENXIO: "check that it is there, and as large as it was",
    errno.EIO: "the kernel's log (dmesg) tells what is wrong with its device",
    errno.ESTALE: "mount its file system again",
    errno.EBUSY: "check who uses it (lsblk, fuser)",
}
"""For files and devices of this machine."""

REMOTE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room where its server keeps it, then run the job again"),
    **dict.fromkeys((errno.EPERM, errno.EACCES, errno.EROFS), "have its server export it for writing"),
    errno.EIO: "its server's log tells what is wrong with it",
}
"""For what an NBD server says."""

LOST = "look at its server, and at the way there"
"""For a connection that broke, again and again."""

LIVE = "copy a snapshot of it, or stop what changes it"
"""For a source that is not what it was when the copy began."""

BITMAP = "copy it whole, without its bitmap"
"""For a dirty bitmap that cannot be read."""
