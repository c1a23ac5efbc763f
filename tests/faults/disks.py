"""Disks: copies whose servers fail and are killed. Not one may end as completed with a target that differs.

    python -m tests.faults.disks --times 100

Each run draws what goes wrong from its number: the qemu-nbd of the target (raw or qcow2) killed at some moment and
started again, the nbdkit of the source killed likewise, or a source of which one read in twenty fails.
"""

import argparse
import collections
import os
import random
import tempfile
from contextlib import ExitStack
from pathlib import Path

import structlog
import trio

from tests.clientd import servers
from tests.clientd.copies import MIB, Copy

SIZE = 8 * MIB
FAULTS = ("target raw", "target qcow2", "source", "reads")


async def run(number: int, fault: str, folder: Path) -> tuple[str, bool]:
    """The job's status, and whether the target equals the source."""
    chance = random.Random(number)
    image, target = folder / "source", folder / "target"
    image.write_bytes(os.urandom(SIZE // 2) + bytes(SIZE // 4) + os.urandom(SIZE // 4))
    form = fault.removeprefix("target ") if fault.startswith("target") else "raw"
    servers.run("qemu-img", "create", "-f", form, target, SIZE)
    with servers.folder() as place, ExitStack() as alive:
        source, to = place / "s", place / "t"
        reading = ["nbdkit", "-f", "-U", str(source), "-r", "--filter=error", "file", str(image)]
        reading += ["error-pread=EIO", f"error-pread-rate={5 if fault == 'reads' else 0}%"]
        writing = ["qemu-nbd", "--persistent", "-f", form, "-k", str(to), "--shared=8", str(target)]
        copy = Copy(
            f"nbd+unix:///?socket={source}",
            f"nbd+unix:///?socket={to}",
            max_rate=32 * MIB,
            verify=number % 2 == 0,
            copy={"chunk": 64 * 1024, "pauses": (0.3, 1, 4, 8, 16), "checkpoint": 0.05, "checkpoint_share": 1.0},
        )
        running = {path: servers.running(command, path) for path, command in ((source, reading), (to, writing))}
        async with trio.open_nursery() as nursery:
            for each in running.values():
                each.__enter__()
            nursery.start_soon(copy.run)
            await trio.lowlevel.checkpoint()
            if fault != "reads":
                victim, command = (source, reading) if fault == "source" else (to, writing)
                await copy.until_copied(chance.randrange(1, SIZE // 2))
                await trio.sleep(chance.random() * 0.05)
                running.pop(victim).__exit__(None, None, None)
                victim.unlink(missing_ok=True)
                again = servers.running(command, victim)
                await trio.to_thread.run_sync(again.__enter__)
                alive.push(again)
            await copy.hub.wait_until(lambda hub: hub.told and hub.told[-1].status != "running")
        for each in running.values():
            alive.push(each)
    compared = ["qemu-img", "compare", "-f", "raw", "-F", form, str(image), str(target)]
    ended = await trio.run_process(compared, capture_stdout=True, check=False)
    return copy.job.status, ended.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    times = parser.parse_args().times
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    wrong = 0
    for number in range(times):
        fault = FAULTS[number % len(FAULTS)]
        with tempfile.TemporaryDirectory(prefix="disk-faults-") as folder:
            status, same = trio.run(run, number, fault, Path(folder))
        found[fault, status] += 1
        wrong += status == "completed" and not same
    for (fault, status), count in sorted(found.items()):
        print(f"{fault:14} {status:10} {count}")
    print(f"{wrong} of {times} ended as completed with a target that differs")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
