"""Run: a real hub under load, a fault again and again, and the database held against the ledger at the end.

    python -m tests.faults.run kills --times 100
    python -m tests.faults.run points --times 20
    python -m tests.faults.run restarts --times 20
    python -m tests.faults.run locks --times 12
    python -m tests.faults.run slow --times 6
    python -m tests.faults.run workers --times 100
    python -m tests.faults.run outages --times 5

`kills` ends the hub by SIGKILL at random moments and starts it again on the PostgreSQL that it left running;
`points` has it end itself at the named points of the writer, by turns; `restarts` ends that PostgreSQL, by turns
as a crash, at once and in order, and the hub starts it again; `locks` has another session hold one of the hub's
tables, by turns for less and for more than the writer's patience; `slow` makes each statement that writes jobs
wait; `workers` kills any of three hubs at one address, whose parent starts another one; `outages` leaves no hub
there for longer than a job may be silent. Prints one JSON object; exits 1 where anything was lost or misjudged,
and names it.
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec
import trio

from sendensed import config
from sendensed.store import bridge
from tests.e2e.conftest import Hub, children
from tests.faults import oracle
from tests.faults.senders import PAUSE, Ledger, Sender

READY = 90.0
"""Seconds after which a hub that does not acknowledge again will not: a busy disk alone can take many."""
LIMITS = "[reaper]\nstall_after = 3\nfail_after = 20\nperiod = 1\n"
"""Silence that a pause of the database may reach, and a verdict that only a hub in error would give."""
SHORT = "[reaper]\nstall_after = 1\nfail_after = 3\nperiod = 0.5\nbeat = 0.5\ngap = 2\nmass_jobs = 1000\n"
WORKERS = 3
LEAST = 200
"""Acknowledgements for each fault: a slow machine has the time for them, so that the next one meets load too."""
AWAY = 5.0
RARELY = 1.5
"""Seconds without a hub, longer than those limits, and between two tries of a sender: so that its first look finds
jobs that only its grace saves."""
DEATHS = (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT)
"""What ends a postmaster: a crash, at once without a checkpoint, in order with its clients cut off."""

POINTS = ("writer.merged", "writer.committed")
"""Where a batch is planned and nothing of it sent; where it is committed and nobody told."""


class Outcome(msgspec.Struct):
    """What a run came to. `back` are the seconds from each fault to the next acknowledgement."""

    faults: int
    jobs: int
    answers: dict[str, int]
    back: list[float]
    wrong: list[str]

    def told(self) -> str:
        back = {"median": round(statistics.median(self.back), 2), "longest": round(max(self.back), 2)}
        said = {"faults": self.faults, "jobs": self.jobs, "answers": self.answers, "back_after_s": back}
        return json.dumps({**said, "wrong": self.wrong})


Fault = Callable[[Hub, int], Awaitable[None]]


async def under_load(
    hub: Hub, fault: Fault, times: int, seed: int, senders: int = 48, port: int = 0, pause: float = PAUSE
) -> Outcome:
    """Meets the load with the fault so many times, then ends the load and compares. The hub is left stopped.

    `port` is where the senders find it, if not at its own; `pause` how long they wait between two tries.
    """
    chance = random.Random(seed)
    ledger, stopping, back = Ledger(), trio.Event(), []
    async with trio.open_nursery() as nursery:
        for number in range(senders):
            sender = Sender(number, port or hub.port, ledger, random.Random(chance.random()), pause)
            nursery.start_soon(sender.run, stopping)
        for number in range(times):
            with trio.fail_after(READY):
                await ledger.acknowledgements(number * LEAST + 1)
            await trio.sleep(chance.uniform(0.02, 0.6))
            began = trio.current_time()
            await fault(hub, number)
            with trio.fail_after(READY):
                await ledger.next_acknowledgement()
            back.append(trio.current_time() - began)
        with trio.fail_after(READY):
            await ledger.acknowledgements(times * LEAST)
        stopping.set()
    wrong = await wrong_at(hub, ledger)
    await trio.to_thread.run_sync(hub.stop)
    return Outcome(times, len(ledger.accounts), ledger.answers, back, wrong)


async def wrong_at(hub: Hub, ledger: Ledger) -> list[str]:
    """The hub's database held against the ledger."""
    reaper = config.load(hub.state / "hub.toml").reaper
    return await oracle.faults(hub.database, ledger, reaper.stall_after)


async def kill_and_start(hub: Hub, number: int) -> None:
    """The hub gone without a word, and another in its place."""
    hub.stop(signal.SIGKILL)
    await trio.to_thread.run_sync(hub.start)


async def kill_a_worker(hub: Hub, number: int) -> None:
    """One of the hubs gone without a word, where others go on; their parent starts another one by and by."""
    with trio.fail_after(READY):
        while len(workers := children(hub.process.pid)) < WORKERS - 1:
            await trio.sleep(0.02)
    os.kill(random.Random(number).choice(workers), signal.SIGKILL)


async def stay_away(hub: Hub, number: int) -> None:
    """The hub gone, and another in its place much later."""
    hub.stop(signal.SIGKILL)
    await trio.sleep(AWAY)
    await trio.to_thread.run_sync(hub.start)


async def die_at_a_point(hub: Hub, number: int) -> None:
    """A hub that kills itself once it is at work, and another in its place."""
    hub.stop(signal.SIGKILL)
    hub.program = ["tests.faults.dying_hub", POINTS[number % len(POINTS)], str(1 + number % 7)]
    await trio.to_thread.run_sync(hub.start)
    code = await trio.to_thread.run_sync(partial(hub.process.wait, timeout=READY))
    if code != -signal.SIGKILL:
        raise AssertionError(f"the hub ended with {code} before it came to {hub.program[1]}")
    hub.program = ["sendensed", "serve"]
    hub.process.stdout.close()
    await trio.to_thread.run_sync(hub.start)


async def end_database(hub: Hub, number: int) -> None:
    """Returns when the hub has started the next one."""
    postmaster = await another_database(hub, 0)
    os.kill(postmaster, DEATHS[number % len(DEATHS)])
    await another_database(hub, postmaster)


async def another_database(hub: Hub, known: int) -> int:
    """The process number of the hub's postmaster, once it is not the known one."""
    file = hub.state / "postgres/data/postmaster.pid"
    with trio.fail_after(READY):
        while True:
            with suppress(OSError, ValueError, IndexError):
                found = int(file.read_text().splitlines()[0])
                if found != known and Path(f"/proc/{found}").exists():
                    return found
            if (code := hub.process.poll()) is not None:
                raise AssertionError(f"the hub ended with {code}, and did not start its database again")
            await trio.sleep(0.02)


TABLES = ("backup_jobs", "hubs", "job_events", "job_samples")
LOCKED = (1.5, 8.0)
"""Seconds: within the writer's patience (6), and beyond it."""
SLOW = """
CREATE OR REPLACE FUNCTION drag() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$;
CREATE TRIGGER drag BEFORE INSERT OR UPDATE ON backup_jobs FOR EACH STATEMENT EXECUTE FUNCTION drag()"""


async def lock_a_table(hub: Hub, number: int) -> None:
    """Another session holds a table of the hub's, against readers too, and lets go of it."""
    table, time = TABLES[number % len(TABLES)], LOCKED[number // len(TABLES) % len(LOCKED)]
    async with (
        bridge.open_pool(hub.database, max_size=1, connect_timeout=READY) as pool,
        pool.connection() as session,
    ):
        await session.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", timeout=READY)
        await trio.sleep(time)
        await session.execute("ROLLBACK")


async def drag_writes(hub: Hub, number: int) -> None:
    """Every statement that writes jobs takes most of a second, for some seconds."""
    async with bridge.open_pool(hub.database, max_size=1, connect_timeout=READY) as pool:
        await pool.execute(SLOW, timeout=READY)
        await trio.sleep(4)
        await pool.execute("DROP TRIGGER drag ON backup_jobs", timeout=READY)


FAULTS = {
    "kills": (kill_and_start, ""),
    "points": (die_at_a_point, ""),
    "restarts": (end_database, LIMITS),
    "locks": (lock_a_table, LIMITS),
    "slow": (drag_writes, LIMITS),
    "workers": (kill_a_worker, LIMITS),
    "outages": (stay_away, SHORT),
}


def end_and_tell(hub: Hub) -> int | None:
    """Has a hub that is alive write into its log where it is at, and ends it and its database; its exit code."""
    if hub.process is None:
        return None
    servers = hub.database_processes()
    if (code := hub.process.poll()) is None:
        hub.stop(signal.SIGABRT)
    for number in servers:
        os.kill(number, signal.SIGKILL)
    return code


@asynccontextmanager
async def running_hub(settings: str, workers: int = 1, database: str = "") -> AsyncIterator[Hub]:
    """A hub in a directory of its own, with a path short enough for a socket in it; on a database of its own, if
    none is given."""
    with tempfile.TemporaryDirectory(prefix="faults-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        hub = Hub(Path(folder), settings, database, workers)
        await trio.to_thread.run_sync(hub.start)
        try:
            yield hub
        except BaseException as error:
            error.add_note(f"the hub's end: {await trio.to_thread.run_sync(end_and_tell, hub)}")
            for log in sorted(hub.state.glob("**/*.log")):
                error.add_note(f"{log.name} ends with:\n{log.read_text(errors='replace')[-4000:]}")
            raise
        finally:
            if hub.process is not None:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(hub.stop)


async def main(name: str, times: int, seed: int) -> int:
    fault, settings = FAULTS[name]
    async with running_hub(settings, workers=WORKERS if name == "workers" else 1) as hub:
        outcome = await under_load(hub, fault, times, seed, pause=RARELY if name == "outages" else PAUSE)
    print(outcome.told())
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fault", choices=FAULTS)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(trio.run(main, options.fault, options.times, options.seed))
