"""Screen: one line on the terminal that shows how far the job is, below the log lines.

transferring  ━━━━╸───────  41.2 %   3.1 GiB / 7.5 GiB   212.4 MiB/s   read
verifying     ━╸──────────  12.9 %   1.0 GiB / 7.5 GiB verified

It looks as the hub's own commands do.
"""

import os
from contextlib import suppress

from clientd.logs import Stream
from schemas.telemetry import TelemetryBody
from schemas.words import percent as told
from schemas.words import size

_CLEAR = "\r\x1b[K"
_BAR = 12
"""Signs of the bar: with it the line fits a terminal of 80 columns."""


class Screen:
    """A text stream for the logs, which keeps the status line below what is written to it.

    Off a terminal there is no status line, and it is just the stream.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._line = ""

    def show(self, body: TelemetryBody) -> None:
        """Draws the line anew where it has changed."""
        line = status_line(body)
        if self._terminal and line != self._line:
            self._line = line
            self._draw(_CLEAR + self._fitting())

    def done(self) -> None:
        """Takes the line away for good."""
        if self._line:
            self._line = ""
            self._draw(_CLEAR)

    def _draw(self, text: str) -> None:
        with suppress(OSError):  # a terminal that went away is no reason to stop
            self._stream.write(text)
            self._stream.flush()

    def write(self, text: str) -> int:
        """Writes whole log lines above the status line."""
        return self._stream.write(f"{_CLEAR}{text}{self._fitting()}" if self._line else text)

    def _fitting(self) -> str:
        """The line, no longer than the terminal is wide: what wraps could not be taken away again."""
        try:
            columns = os.get_terminal_size(2).columns
        except OSError:
            return self._line
        return self._line[: columns - 1] if columns else self._line

    def flush(self) -> None:
        """Of the stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Of the stream."""
        return self._terminal


def status_line(body: TelemetryBody) -> str:
    """The line for this body; at its end what the disks under way wait for most.

    A verification is shown by what it reads again: all is copied by then.
    """
    if body.bytes_to_verify and body.current_phase == "verifying":
        again, share = body.bytes_verified or 0, 100 * (body.bytes_verified or 0) / body.bytes_to_verify
        said = f"{body.current_phase:13} {bar(share)} {told(share):>7}"
        return f"{said}   {size(again)} / {size(body.bytes_to_verify)} verified"
    done, whole, percent = body.bytes_transferred or 0, body.total_bytes, body.progress_percent or 0.0
    of = f" / {size(whole)}" if whole is not None else ""
    speed = f"{size(body.transfer_speed_bps or 0)}/s"
    line = f"{body.current_phase:13} {bar(percent)} {told(percent):>7}   {size(done)}{of}   {speed}"
    slow = {disk.bottleneck: None for disk in body.disks or () if disk.status == "running" and disk.bottleneck}
    return f"{line}   {', '.join(slow)}" if slow else line


def bar(percent: float) -> str:
    """`━━━━╸───────`: full only at 100 %."""
    halves = int(min(max(percent, 0.0), 100.0) / 100 * 2 * _BAR)
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(_BAR, "─")
