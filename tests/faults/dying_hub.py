"""DyingHub: `sendensed serve` that kills itself (SIGKILL) the n-th time that it passes a named point of its code.

python -m tests.faults.dying_hub POINT TIMES --open ...
"""

import os
import signal
import sys
from functools import partial

from sendensed.__main__ import main
from sendensed.cli import serve
from sendensed.environment import SystemEnvironment


class Mortal(SystemEnvironment):
    """The machine itself, until the point is passed so many times."""

    def __init__(self, point: str, times: int) -> None:
        super().__init__()
        self._point = point
        self._left = times

    async def failpoint(self, name: str) -> None:
        if name == self._point:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve.SystemEnvironment = partial(Mortal, sys.argv[1], int(sys.argv[2]))
    sys.exit(main(["serve", *sys.argv[3:]]))
