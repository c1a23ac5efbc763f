"""Errors: named by what the caller does next. Foreign exceptions become these at the edge, once."""

import errno

from clientd import advice as advices

SENTENCE = 400
"""Longest error text that goes over the wire, in characters: 256 disks' worth stay below the body's limit."""


LASTING = frozenset(
    {
        *(errno.EACCES, errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EINVAL, errno.EISDIR, errno.ELOOP),
        *(errno.ENAMETOOLONG, errno.ENODEV, errno.ENOENT, errno.ENOMEDIUM, errno.ENOSPC, errno.ENOTDIR),
        *(errno.ENXIO, errno.EOPNOTSUPP, errno.EPERM, errno.EROFS, errno.ESTALE),
    }
)
"""What the system would answer again: trying once more within seconds is of no use."""


class UsageError(Exception):
    """The order cannot be carried out as given: say the sentence, touch nothing, exit 2."""


class DiskError(Exception):
    """A disk could not be read or written: this disk fails, and its job with it.

    `operation` is a verb's -ing form ("reading"), `offset` bytes from the disk's start or None where none
    applies, `cause` the errno's name or a plain sentence, `advice` what an operator does next. `passing` says that
    the same may succeed a little later, perhaps on a new connection.
    """

    def __init__(
        self, path: str, operation: str, offset: int | None, cause: str, *, advice: str = "", passing: bool = False
    ) -> None:
        super().__init__(path, operation, offset, cause)
        self.advice = advice
        self.passing = passing
        self.path = path
        self.operation = operation
        self.offset = offset
        self.cause = cause

    @classmethod
    def of(
        cls, error: OSError, path: str, operation: str, offset: int | None = None, *, final: bool = False
    ) -> "DiskError":
        """What the system refused, as a disk error; `final` is one that is never passing."""
        advice = advices.LOCAL.get(error.errno or 0, "")
        passing = not final and error.errno not in LASTING
        return cls(path, operation, offset, reason(error), advice=advice, passing=passing)

    @classmethod
    def too_small(cls, path: str, size: int, needed: int) -> "DiskError":
        """A target that the source does not fit into, in bytes."""
        cause, advice = f"it has {size} bytes, {needed} are needed", "enlarge it, or name a larger target"
        return cls(path, "opening", None, cause, advice=advice)

    def __str__(self) -> str:
        place = "" if self.offset is None else f" at offset {self.offset}"
        advice = f": {self.advice}" if self.advice else ""
        return f"{self.operation} {printable(self.path)}{place} failed: {self.cause}{advice}"


class Difference(DiskError):
    """The target is not what the source is: nothing of the copy is relied on, the next attempt begins anew."""

    def __init__(self, path: str, offset: int, cause: str) -> None:
        super().__init__(path, "verifying", offset, cause)
        self.offset: int = offset

    def then(self, words: str) -> "Difference":
        """The same, with what comes of it."""
        return Difference(self.path, self.offset, f"{self.cause}; {words}")


class HubUnavailable(Exception):
    """No acknowledgement came: try again later, not before `retry_after` seconds where the hub names them."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class HubRefused(Exception):
    """The hub will never take this update: say so, set it aside, never send it again."""


class HubDenied(Exception):
    """The hub does not let us speak: keep the news, say so locally, ask again much later."""


class LegacyUnavailable(Exception):
    """The legacy progress endpoint did not take an update: drop it, the next one is newer."""


class SpoolUnavailable(Exception):
    """What must outlive the process cannot be kept now: go on from memory, say so, try again later."""


class DaemonUnavailable(Exception):
    """No daemon answers over its socket: say the sentence, exit 3."""


def reason(error: OSError) -> str:
    """`ENOSPC (No space left on device)`."""
    name = errno.errorcode.get(error.errno or 0, f"errno {error.errno}")
    return f"{name} ({error.strerror})" if error.strerror else name


def printable(text: str) -> str:
    """The text without what JSON, a terminal or the hub would refuse: undecodable bytes, control characters."""
    readable = text.encode(errors="surrogateescape").decode(errors="replace")
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in readable)


def bounded(text: str) -> str:
    """The text, cut to what may go over the wire."""
    return text if len(text) <= SENTENCE else text[: SENTENCE - 1] + "\N{HORIZONTAL ELLIPSIS}"
