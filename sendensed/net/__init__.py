"""net: HTTP/1.1 and websockets on trio streams. Knows no routes and no telemetry."""
