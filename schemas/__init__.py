"""schemas: the wire, shared by the hub and its senders. No I/O, no policy."""

__version__ = "0.1.0"
"""The version of the distribution: hub, client and wire are released together."""
