"""Top: the running jobs on the whole terminal, live, in an order that keys change."""

import argparse
import os
import signal
import sys
from functools import partial

import trio

from schemas.job import JobView
from sendensed import errors
from sendensed.cli import hub as rest
from sendensed.cli import keys, panel, select, terminal
from sendensed.cli.feed import Watched, follow
from sendensed.cli.jobs import clock_of
from sendensed.cli.panel import Scene, View
from sendensed.cli.select import Selection
from sendensed.environment import SystemEnvironment
from sendensed.errors import ConfigError

_REDRAW = 0.5
"""Seconds between two frames where nothing happens: ages count on."""
_BURST = 0.1
"""Seconds between two frames at the least: a thousand jobs change all the time."""
_HEEDED = (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT, signal.SIGTERM, signal.SIGHUP)


def run(options: argparse.Namespace) -> int:
    """Shows them until `q`; 0. Raises ConfigError off a terminal, where watch is the command."""
    if not terminal.is_live():
        raise ConfigError(
            "top needs a terminal that can be redrawn; sendensed watch prints a line for each change"
        )
    with rest.of(options) as asked:
        wanted = select.of(options, clock_of(asked))
    view = View(options.sort_by, options.reverse, options.all or bool(wanted.status))
    with errors.unwrapped():
        return trio.run(partial(_run, options.hub, wanted, view, asked.token))


async def _run(hub: str, wanted: Selection, view: View, token: str | None) -> int:
    top = _Top(wanted, view)
    code = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow, hub, wanted.feed(), top.watched, SystemEnvironment(), top.on_news, token)
        await top.begun.wait()  # a hub that does not answer is said on the terminal as it was
        with keys.whole_terminal() as whole:
            await nursery.start(top.heed, whole)
            nursery.start_soon(top.listen)
            code = await top.draw()
            nursery.cancel_scope.cancel()
    return code


class _Top:
    """The view, and what changes it."""

    def __init__(self, wanted: Selection, view: View) -> None:
        self.watched = Watched()
        self.begun = trio.Event()
        self._wanted = wanted
        self._view = view
        self._code: int | None = None
        self._changed = trio.Event()

    def on_news(self, news: list[JobView]) -> None:
        """After each frame of the feed."""
        if self.watched.sequence is not None:
            self.begun.set()
        self._changed.set()

    async def draw(self) -> int:
        """Draws until it is left; returns the exit code."""
        while self._code is None:
            self._changed = trio.Event()
            keys.paint(panel.frame(self._view, self._scene(), *keys.size()))
            await trio.sleep(_BURST)
            with trio.move_on_after(_REDRAW):
                await self._changed.wait()
        return self._code

    async def listen(self) -> None:
        """Takes keys, where there is a keypanel."""
        if not sys.stdin.isatty():
            return
        while self._code is None:
            await trio.lowlevel.wait_readable(sys.stdin)
            text = os.read(sys.stdin.fileno(), 1024).decode(errors="ignore")
            for key in keys.read(text) if text else ["q"]:  # nothing comes from a terminal that is gone
                jobs = panel.shown(self._view, self._scene().jobs)
                view = panel.press(self._view, key, jobs)
                if view is None:
                    self._leave(0)
                    break
                self._view = view
            self._changed.set()

    async def heed(self, whole: keys.WholeTerminal, *, task_status: trio.TaskStatus[None]) -> None:
        """Draws anew at once when the terminal's size changes, and when it is there again after Ctrl-Z; leaves in
        order when told to end."""
        with trio.open_signal_receiver(*_HEEDED) as heard:
            task_status.started()
            async for number in heard:
                if number == signal.SIGTSTP:
                    whole.stop()
                elif number == signal.SIGCONT:  # whoever stopped it by another signal left the terminal as it was
                    whole.take()
                elif number != signal.SIGWINCH:
                    self._leave(128 + number)
                self._changed.set()

    def _leave(self, code: int) -> None:
        self._code = code
        self._changed.set()

    def _scene(self) -> Scene:
        watched = self.watched
        lost = None if watched.lost_at is None else trio.current_time() - watched.lost_at
        jobs = [job for job in watched.jobs.values() if self._wanted.wants(job)]
        return Scene(jobs, watched.now(), lost, watched.ready)
