"""Limits: what one connection may cost. Every default with its unit and its reason."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Bounds of the HTTP layer. Sizes are bytes, times seconds.

    `idle` is best kept at `answer` + 15 or more: a busy connection then moves its deadline a few times a
    minute instead of twice a request.
    """

    head: int = 16 * 1024
    """Request line and header fields together: ten times what browsers send; more is 431."""
    fields: int = 64
    """Header fields of a request, trailers counted apart: curl sends 5, a browser 20; more is 431."""
    target: int = 8 * 1024
    """The request target: a job id of 200 bytes is 600 percent-encoded; more is 414."""
    body: int = 256 * 1024
    """A body, unless the server's `body_limit` knows its path: the contract's telemetry limit; more is 413."""
    head_time: float = 10.0
    """From the first byte of a request (or a fresh connection) to the end of its head; longer is 408."""
    body_time: float = 10.0
    """From the end of the head to the end of the body: 256 KiB at 26 kB/s; longer is 408."""
    answer: float = 60.0
    """What a handler may take: far over the 9 s of the slowest route, so only a stuck one meets it (503)."""
    idle: float = 75.0
    """Between two requests of a connection: longer than a sender's 60 s of silence, so its connection stays."""
    write: float = 10.0
    """Until the peer has taken an answer: as long as the original sender waits; then the connection is cut."""
    linger: float = 2.0
    """After a refusal, so that a peer still sending can read it before the connection resets."""
    connections: int = 10_000
    """Open at once: at about 20 KiB each 200 MiB; beyond it 503 and the connection is closed."""


class Heartbeat(msgspec.Struct, frozen=True):
    """Bounds of a websocket. Sizes are bytes, times seconds."""

    every: float = 20.0
    """Between pings: under the 30 to 60 s after which proxies drop a silent connection."""
    pong: float = 20.0
    """For the pong to a ping: longer, and the peer is taken for gone."""
    close: float = 5.0
    """For the closing handshake: a live browser answers at once; one that did not read may read on till then."""
    write: float = 10.0
    """Without the peer taking anything of what waits for it: it does not read, and is closed with 1013."""
    unsent: int = 64 * 1024 * 1024
    """Frames that peers have not taken yet, of all peers, each counted once: sixty snapshots of 1,000 jobs."""
    message: int = 4 * 1024
    """A message of the peer: viewers have little to say; more closes with 1009."""
