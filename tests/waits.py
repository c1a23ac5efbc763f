"""Waits: how long a test waits for what must happen."""

PATIENCE = 120.0
"""Seconds after which it will not happen: far more than a machine needs that has much else to do."""
