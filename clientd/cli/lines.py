"""Lines: text on its way to a terminal or a pipe, written by a thread of its own, so that nobody waits for it."""

import os
import queue
import threading
from contextlib import suppress

_MOST = 1000
"""Texts that may wait: a job's own lines and minutes of status lines."""
_PATIENCE = 1.0
"""Seconds that `close` waits for what is still to be written."""


class Lines:
    """A text stream over a descriptor. A terminal that stands still costs what does not fit, never a wait.

    Texts are written whole and in order, past the buffers of `sys.stderr`: their lock would be held by the
    thread where it hangs.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: queue.Queue[str | None] = queue.Queue(_MOST)
        self._closed = False
        self._thread = threading.Thread(target=self._write_all, name="lines", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Returns at once; the text is written soon, or dropped where too many wait already."""
        with suppress(queue.Full):
            self._waiting.put_nowait(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        """Of the descriptor."""
        return os.isatty(self._descriptor)

    def close(self) -> None:
        """Waits until all is written, a second at most. What is written afterwards is lost."""
        if not self._closed:
            self._closed = True
            with suppress(queue.Full):
                self._waiting.put_nowait(None)
            self._thread.join(_PATIENCE)

    def _write_all(self) -> None:
        while (text := self._waiting.get()) is not None:
            left = memoryview(text.encode(errors="backslashreplace"))
            with suppress(OSError):  # a reader that went away costs the line
                while left:
                    left = left[os.write(self._descriptor, left) :]
