"""NBD: disks behind a Network Block Device server, by our own client on blocking sockets.

    wire       the protocol's numbers and byte layouts
    resolve    a server's name to its addresses, within a deadline
    transport  bytes in and out, plain or TLS, each call with a deadline
    handshake  from a connected socket to an export that can be read and written
    session    requests and replies on one connection, shared by threads
    disk       the Disk and its lanes

The protocol is that of the NBD project's `doc/proto.md`: fixed newstyle handshake, structured replies, metadata
contexts. Old-style servers are refused.
"""
