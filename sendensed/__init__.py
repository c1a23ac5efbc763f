"""sendensed: the hub. It receives telemetry, commits it, judges silence and feeds live viewers."""
