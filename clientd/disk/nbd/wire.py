"""Wire: the numbers and byte layouts of NBD, as `doc/proto.md` of the NBD project gives them. Pure."""

import errno
import struct

import msgspec

NBDMAGIC = 0x4E42444D41474943
IHAVEOPT = 0x49484156454F5054
OPTION_REPLY = 0x0003E889045565A9
REQUEST_MAGIC = 0x25609513
SIMPLE_REPLY = 0x67446698
STRUCTURED_REPLY = 0x668E33EF

FIXED_NEWSTYLE = 1 << 0
NO_ZEROES = 1 << 1

OPT_ABORT, OPT_STARTTLS, OPT_GO, OPT_STRUCTURED_REPLY, OPT_SET_META_CONTEXT = 2, 5, 7, 8, 10
REP_ACK, REP_INFO, REP_META_CONTEXT = 1, 3, 4
REP_ERROR = 1 << 31
REP_ERR_UNSUP, REP_ERR_POLICY, REP_ERR_TLS_REQD, REP_ERR_UNKNOWN = (REP_ERROR + n for n in (1, 2, 5, 6))
INFO_EXPORT, INFO_BLOCK_SIZE = 0, 3

READ_ONLY, SEND_FLUSH, SEND_FUA, SEND_WRITE_ZEROES, CAN_MULTI_CONN = (1 << n for n in (1, 2, 3, 6, 8))

READ, WRITE, DISC, FLUSH, WRITE_ZEROES, BLOCK_STATUS = 0, 1, 2, 3, 6, 7
FLAG_FUA = 1

REPLY_DONE = 1
REPLY_NONE, REPLY_OFFSET_DATA, REPLY_OFFSET_HOLE, REPLY_BLOCK_STATUS = 0, 1, 2, 5
REPLY_ERROR = 1 << 15

STATE_ZERO = 2
"""Of `base:allocation`: the extent reads as zeros."""
STATE_DIRTY = 1
"""Of `qemu:dirty-bitmap:...`: the extent has changed."""

SECTOR = 512
"""Bytes that every server reads at once, unless its smallest unit is larger."""

LARGEST_PAYLOAD = 32 * 1024 * 1024
"""What a server must take where it names no maximum, and qemu's own."""

request_head = struct.Struct(">IHHQQI")
"""magic, flags, type, cookie, offset, length"""
reply_head = struct.Struct(">IIQ")
"""magic, error (structured: 16 bits of flags, 16 of type), cookie: the first 16 bytes of either kind"""
chunk_length = struct.Struct(">I")
chunk_data = struct.Struct(">IQ")
"""Behind a structured head: the chunk's length, and of OFFSET_DATA the offset."""
option_head = struct.Struct(">QII")
option_reply_head = struct.Struct(">QIII")
greeting = struct.Struct(">QQH")
export_info = struct.Struct(">QH")
block_sizes = struct.Struct(">III")
state = struct.Struct(">II")
"""Of a BLOCK_STATUS: length and flags of one extent."""
hole = struct.Struct(">QI")
u16, u32 = struct.Struct(">H"), struct.Struct(">I")

_ERRORS: dict[int, int] = {
    number: getattr(errno, name)
    for number, name in {
        1: "EPERM", 5: "EIO", 12: "ENOMEM", 22: "EINVAL", 28: "ENOSPC", 75: "EOVERFLOW", 95: "ENOTSUP",
        108: "ESHUTDOWN",
    }.items()
}  # fmt: skip


class Export(msgspec.Struct, frozen=True):
    """What the handshake tells. `contexts` are metadata contexts by name, each with its id.

    `block` is the smallest unit of a request in bytes, `largest` the most payload of one; `sized` says that the
    server named them.
    """

    size: int
    flags: int
    block: int = 1
    largest: int = LARGEST_PAYLOAD
    sized: bool = False
    contexts: dict[str, int] = {}
    structured: bool = True

    def can(self, flag: int) -> bool:
        """It was advertised."""
        return bool(self.flags & flag)

    def suited(self, request: int) -> int:
        """Bytes of a request at the most: of a server that names block sizes about `request`, since qemu-nbd maps
        memory anew for each that is much larger."""
        return max(request // self.block * self.block, self.block) if self.sized else self.largest

    @property
    def write_flags(self) -> int:
        """Of what changes the disk: FUA where the server cannot flush."""
        return FLAG_FUA if self.flags & SEND_FUA and not self.flags & SEND_FLUSH else 0


def errno_of(error: int) -> int:
    """The system's number for the protocol's; EINVAL for one that it does not know, as it asks for."""
    return _ERRORS.get(error, errno.EINVAL)


def go(export: str) -> bytes:
    """The data of OPT_GO, with a request for the block sizes."""
    name = export.encode(errors="surrogateescape")
    return u32.pack(len(name)) + name + u16.pack(1) + u16.pack(INFO_BLOCK_SIZE)


def meta_contexts(export: str, queries: list[str]) -> bytes:
    """The data of OPT_SET_META_CONTEXT."""
    name = export.encode(errors="surrogateescape")
    asked = b"".join(u32.pack(len(each.encode())) + each.encode() for each in queries)
    return u32.pack(len(name)) + name + u32.pack(len(queries)) + asked
