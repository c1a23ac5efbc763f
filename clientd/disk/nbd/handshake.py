"""Handshake: from a connected socket to an export: fixed newstyle, TLS, structured replies, metadata contexts."""

import socket
from collections.abc import Iterator, Sequence

from clientd.core.address import Address
from clientd.disk.nbd import wire
from clientd.disk.nbd.transport import Lost, Plain, Secure, Transport
from clientd.disk.nbd.wire import Export
from clientd.errors import printable

_LARGEST_REPLY = 64 * 1024
"""Bytes of an option's reply: names and messages have 4096 at the most."""
_MOST_REPLIES = 1024


class Refused(Exception):
    """The server speaks, and does not let us have this export: trying again is of no use. The text says why."""


def negotiate(
    connected: socket.socket, address: Address, queries: Sequence[str], patience: float
) -> tuple[Transport, Export]:
    """The connection, ready for requests, and what the server tells of the export.

    `queries` are the metadata contexts that are wanted; those that the server has are in the answer. Raises Lost
    and Refused; the socket is then the caller's to close.
    """
    transport: Transport = Plain(connected, patience)
    talk = _Talk(transport)
    talk.greet()
    if address.tls is not None:
        talk.start_tls()
        transport = Secure(connected, address.tls, patience)
        talk = _Talk(transport)
    structured = talk.ask_structured()
    contexts = talk.ask_contexts(address.export, list(queries)) if structured and queries else {}
    return transport, talk.go(address.export, contexts, structured)


class _Talk:
    """The options, one after the other."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def greet(self) -> None:
        magic, version, flags = wire.greeting.unpack(self._receive(wire.greeting.size))
        if magic != wire.NBDMAGIC or version != wire.IHAVEOPT or not flags & wire.FIXED_NEWSTYLE:
            raise Refused("it is no NBD server that speaks the fixed newstyle protocol: check the address")
        both = wire.FIXED_NEWSTYLE | (flags & wire.NO_ZEROES)
        self._transport.send([wire.u32.pack(both)], wire.u32.size)

    def start_tls(self) -> None:
        for kind, _ in self._ask(wire.OPT_STARTTLS):
            if kind != wire.REP_ACK:
                raise Refused("it offers no TLS: write nbd instead of nbds, or set TLS up there")

    def ask_structured(self) -> bool:
        return all(kind == wire.REP_ACK for kind, _ in self._ask(wire.OPT_STRUCTURED_REPLY))

    def ask_contexts(self, export: str, queries: list[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for kind, data in self._ask(wire.OPT_SET_META_CONTEXT, wire.meta_contexts(export, queries)):
            if kind == wire.REP_META_CONTEXT and len(data) > wire.u32.size:
                found[data[wire.u32.size :].decode(errors="replace")] = wire.u32.unpack_from(data)[0]
            elif kind >= wire.REP_ERROR:
                return {}
        return found

    def go(self, export: str, contexts: dict[str, int], structured: bool) -> Export:
        told: Export | None = None
        block, largest, sized = 1, wire.LARGEST_PAYLOAD, False
        for kind, data in self._ask(wire.OPT_GO, wire.go(export)):
            if kind >= wire.REP_ERROR:
                raise Refused(_refusal(kind, export, data))
            if kind != wire.REP_INFO or len(data) < wire.u16.size:
                continue
            (info,) = wire.u16.unpack_from(data)
            if info == wire.INFO_EXPORT and len(data) == wire.u16.size + wire.export_info.size:
                size, flags = wire.export_info.unpack_from(data, wire.u16.size)
                told = Export(size, flags, contexts=contexts, structured=structured)
            elif info == wire.INFO_BLOCK_SIZE and len(data) == wire.u16.size + wire.block_sizes.size:
                block, _, largest = wire.block_sizes.unpack_from(data, wire.u16.size)
                sized = True
        if told is None or told.size > 2**63 - 1 or block < 1 or block & (block - 1):
            raise Refused(f"it tells nothing that makes sense of the export '{printable(export)}'")
        largest = max(min(largest, wire.LARGEST_PAYLOAD) // block * block, block)
        return Export(told.size, told.flags, block, largest, sized, contexts, structured)

    def _ask(self, option: int, data: bytes = b"") -> Iterator[tuple[int, bytes]]:
        """Asks for an option and yields (type, data) of each reply, the last one being ACK or an error."""
        head = wire.option_head.pack(wire.IHAVEOPT, option, len(data))
        self._transport.send([head, data], len(head) + len(data))
        for _ in range(_MOST_REPLIES):
            magic, about, kind, length = wire.option_reply_head.unpack(self._receive(wire.option_reply_head.size))
            if magic != wire.OPTION_REPLY or about != option or length > _LARGEST_REPLY:
                raise Lost("the server broke the protocol in the handshake")
            yield kind, self._receive(length)
            if kind == wire.REP_ACK or kind >= wire.REP_ERROR:
                return
        raise Lost("the handshake does not end")

    def _receive(self, count: int) -> bytes:
        buffer = bytearray(count)
        if count:
            self._transport.receive([memoryview(buffer)], count)
        return bytes(buffer)


def _refusal(kind: int, export: str, data: bytes) -> str:
    said = f" ({printable(data.decode(errors='replace'))})" if data else ""
    match kind:
        case wire.REP_ERR_UNKNOWN:
            return f"it has no export '{printable(export)}'{said}: check its name (nbdinfo --list shows them)"
        case wire.REP_ERR_TLS_REQD:
            return f"it wants TLS: write nbds instead of nbd{said}"
        case wire.REP_ERR_POLICY:
            return f"it does not let us have the export '{printable(export)}'{said}: allow it there"
    return f"it refuses the export '{printable(export)}' with error {kind - wire.REP_ERROR}{said}"
