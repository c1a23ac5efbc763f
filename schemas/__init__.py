"""schemas: the wire, shared by the hub and its senders. No I/O, no policy."""
