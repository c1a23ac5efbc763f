"""Attempts: clientd killed by kill -9 at any moment, its target tampered with, and the next attempt.

    python -m tests.faults.attempts --times 100

No attempt may end as completed with a target that differs. Each run draws the moments from its number. `run`,
`serve` and `nbd` (to a qemu-nbd that lives on) are killed while they copy, `verifying` while the target is read
again. All others are a `clientd run` that is killed, and whose target is then missing, cut, replaced by another
file, overwritten whole, or has a single byte changed, which only a verification can find.
"""

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import trio

from tests.clientd import servers
from tests.clientd.copies import MIB
from tests.fakes.hub import HttpHub
from tests.waits import PATIENCE

SIZE = 8 * MIB
KILLS = ("run", "serve", "nbd", "verifying")
TAMPERINGS = ("missing", "cut", "replaced", "overwritten", "byte")
JOB = "backup-web01-20261123-021407"
FINAL = ("completed", "failed", "cancelled")
_SECONDS = 0.5
"""That a copy takes at least, or a verification, by its rate."""
_FAR_SECONDS = 2.0
"""The same to a server, whose flushes take longer."""
_MOST = 6

CHILD = """
import sys
from clientd import __main__, config, service
from clientd.cli import run

settings = config.CopySettings(chunk=64 * 1024, checkpoint=0.05, checkpoint_share=1.0, pauses=(0.1, 0.1))
run.copy_settings = service.copy_settings = lambda workers: settings
sys.exit(__main__.main(sys.argv[1:]))
"""
"""A clientd that makes checkpoints as often as it takes to have some within half a second."""


class Ended:
    """What came of it all.

    `resumed` is the offset from which on the last attempt copied; `repeated` are bytes behind it that an attempt
    before had copied, as far as the hub knew.
    """

    def __init__(self, status: str, same: bool, resumed: int, repeated: int, reasons: list[str]) -> None:
        self.status, self.same, self.resumed, self.repeated, self.reasons = (
            status,
            same,
            resumed,
            repeated,
            reasons,
        )


class Client:
    """One job in a folder, attempt after attempt."""

    def __init__(
        self, folder: Path, hub: HttpHub, target: str, *, serve: bool, verify: bool, seconds: float
    ) -> None:
        self.attempt = 0
        self._hub = hub
        self._serve = serve
        self._folder = folder
        state = folder / "state"
        place = state / "jobs"
        place.mkdir(mode=0o700, parents=True)
        disk = {"source": str(folder / "source"), "target": target, "change_id": "1"}
        job = {"job_id": JOB, "verify": verify, "max_rate": int(SIZE / seconds), "disk": [disk]}
        file = place / "job.json" if serve else folder / "job.json"
        file.write_text(json.dumps(job))
        words = ["serve", "--socket", folder / "s"] if serve else ["run", file, "--json", "--final-wait", "5"]
        self._words = [*words, "--state-dir", state, "--hub", hub.url, "--log-format", "json"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """The next attempt."""
        self.attempt += 1
        with self._log.open("wb") as log:
            command = [sys.executable, "-c", CHILD, *map(str, self._words)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def until(self, phase: str) -> None:
        """The hub hears of that phase of this attempt, or of its end."""
        with trio.fail_after(PATIENCE):
            await self._hub.wait_until(
                lambda update: (
                    update.attempt == self.attempt and (update.current_phase == phase or update.status in FINAL)
                )
            )

    async def end(self) -> str:
        """As what it ends by itself."""
        await self.until("none")
        await self._over(signal.SIGTERM if self._serve else None)
        return next(
            each.status for each in self._hub.pushed if each.attempt == self.attempt and each.status in FINAL
        )

    async def kill(self) -> None:
        await self._over(signal.SIGKILL)

    async def _over(self, number: int | None) -> None:
        process, self._process = self._process, None
        if number is not None:
            process.send_signal(number)
        with trio.fail_after(PATIENCE):
            await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def _log(self) -> Path:
        return self._folder / f"log-{self.attempt}"

    def lines(self, event: str) -> list[dict[str, object]]:
        """Of this attempt's log."""
        found = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith('{"')]
        return [line for line in found if line.get("event") == event]

    def copied(self) -> int:
        """The most that the hub heard of, of the attempts so far."""
        return max((update.bytes_transferred or 0 for update in self._hub.pushed), default=0)


async def run(number: int, fault: str, folder: Path) -> Ended:
    """Kills, tampers, and lets attempts follow until one is completed."""
    chance = random.Random(number)
    source, target = folder / "source", folder / "target"
    source.write_bytes(os.urandom(SIZE // 2) + bytes(SIZE // 4) + os.urandom(SIZE // 4))
    seconds = _FAR_SECONDS if fault == "nbd" else _SECONDS
    verify = fault in ("verifying", "byte") or (fault in KILLS and number % 2 == 0)
    async with trio.open_nursery() as nursery:
        hub = await HttpHub.start(nursery)
        with servers.folder() as place:
            name = f"nbd+unix:///?socket={place / 'nbd'}" if fault == "nbd" else str(target)
            client = Client(folder, hub, name, serve=fault == "serve", verify=verify, seconds=seconds)
            server = ["qemu-nbd", "--persistent", "-f", "raw", "-k", str(place / "nbd"), "--shared=8", str(target)]
            if fault == "nbd":
                target.touch()
                os.truncate(target, SIZE)
                serving = servers.running(server, place / "nbd")
                serving.__enter__()
            try:
                ended = await _attempts(chance, fault, client, target, seconds)
            finally:
                client.close()
                if fault == "nbd":
                    serving.__exit__(None, None, None)
        nursery.cancel_scope.cancel()
    ended.same = source.read_bytes() == target.read_bytes()
    return ended


async def _attempts(chance: random.Random, fault: str, client: Client, target: Path, seconds: float) -> Ended:
    for _ in range(chance.randint(1, 2)):
        client.start()
        await client.until("verifying" if fault == "verifying" else "transferring")
        await trio.sleep(chance.random() * seconds)
        await client.kill()
    if target.exists():
        _tamper(chance, fault, target)
    copied = client.copied()
    reasons: list[str] = []
    for _ in range(_MOST):
        client.start()
        status = await client.end()
        resumed = sum(int(str(line["offset"])) for line in client.lines("going on where the last attempt was"))
        reasons += [str(line["reason"]) for line in client.lines("beginning at the start again")]
        if status == "completed":
            break
    repeated = max(0, copied - resumed) if resumed else 0
    return Ended(status, False, resumed, repeated, reasons)


def _tamper(chance: random.Random, fault: str, target: Path) -> None:
    there = bytearray(target.read_bytes())
    if fault in ("missing", "replaced"):
        target.unlink()
    if fault == "replaced":
        there[chance.randrange(SIZE // 4)] ^= 1
        target.write_bytes(there)
    if fault == "cut":
        os.truncate(target, chance.randrange(SIZE))
    if fault in ("overwritten", "byte"):
        place = chance.randrange(SIZE // 4)
        with target.open("r+b") as file:
            file.seek(0 if fault == "overwritten" else place)
            file.write(os.urandom(SIZE) if fault == "overwritten" else bytes([there[place] ^ 1]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    times = parser.parse_args().times
    found: collections.Counter[tuple[str, str, bool]] = collections.Counter()
    repeated: list[int] = []
    wrong = 0
    for number in range(times):
        fault = (*KILLS, *TAMPERINGS)[number % len((*KILLS, *TAMPERINGS))]
        with tempfile.TemporaryDirectory(prefix="attempts-") as folder:
            ended = trio.run(run, number, fault, Path(folder))
        found[fault, ended.status, ended.resumed > 0] += 1
        repeated += [ended.repeated] if ended.resumed and fault in ("run", "nbd") else []
        wrong += ended.status == "completed" and not ended.same
    for (fault, status, resumed), count in sorted(found.items()):
        print(f"{fault:12} {status:10} {'gone on with' if resumed else 'begun again':13} {count}")
    if repeated:
        print(f"read again of what the hub knew to be copied: {max(repeated)} of {SIZE} bytes at the most")
    print(f"{wrong} of {times} ended as completed with a target that differs")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
