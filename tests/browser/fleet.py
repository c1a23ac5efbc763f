"""Fleet: a thousand jobs at a real hub, which is told of each of them once a second while a test looks."""

import json
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from tests.browser.hub import Hub, disk
from tests.waits import PATIENCE

JOBS = 1_000
FAILED, COMPLETED = 3, 24
"""How many of them have ended, each so; all others run."""
RUNNING = JOBS - FAILED - COMPLETED
FAMILIES = ("ci", "db", "dns", "erp", "files", "ldap", "mail", "sql", "web", "wiki")
SLICES = 10
"""Requests that tell of each job once."""
STEP = 0.1
"""Percent that a job moves by each time."""
GAP = 0.4
"""Percent between two jobs of a family, so that what one of them is told first does not change their order."""
SENDERS = ("rack-1 0.2.0", "rack-2 0.2.0", "branch 0.1.0")
"""Of the jobs, in turn: the first is well, the clock of the second is behind, the third is of an old version."""
BEHIND = timedelta(seconds=75)
ALLOWED = "[access]\nrate = 1000000\nburst = 1000000\n"
"""The setting of a hub that lets one sender speak for all of them."""


def machine(number: int) -> str:
    """`db-161`: every tenth is of the same family."""
    return f"{FAMILIES[number % len(FAMILIES)]}-{number:03}"


def job_id(number: int) -> str:
    """Of that machine's backup."""
    return f"backup-{machine(number)}-20261124-020000"


def _update(number: int, round_: int) -> dict[str, Any]:
    address = {"job_type": "restore" if number % 4 == 1 else "backup", "job_id": job_id(number)}
    said = {**address, "sequence": round_, "vm_name": machine(number), "current_phase": "transferring"}
    place = number % len(SENDERS)
    told_at = datetime.now(UTC) - (BEHIND if place == 1 else timedelta())
    said |= {"sender": SENDERS[place], "timestamp": told_at.isoformat()}
    if number < FAILED:
        said |= {
            "status": "failed",
            "error": "disk 0: EIO at 8589934592",
            "disks": [disk(0, 40.0, status="failed")],
        }
    elif number < FAILED + COMPLETED:
        said |= {"status": "completed", "disks": [disk(0, 100.0, status="completed")]}
    else:
        share = 5 + GAP * (number // len(FAMILIES)) + STEP * round_
        disks = [disk(index, share) for index in range(1 + number % 3)]
        said |= {"status": "running", "total_kind": "allocated", "disks": disks}
    return said


class Fleet:
    """Within `with`, the hub knows all jobs and hears of those that run. A hub that is busy is told later."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._wrong: list[str] = []

    def __enter__(self) -> Self:
        self._post([_update(number, 0) for number in range(JOBS)])
        assert self._wrong == []
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(PATIENCE)
        assert self._wrong == []

    def _run(self) -> None:
        running = range(FAILED + COMPLETED, JOBS)
        turn = 0
        while not self._is_over.wait(1 / SLICES) and not self._wrong:
            round_, part = divmod(turn, SLICES)
            self._post([_update(number, round_ + 1) for number in running if number * SLICES // JOBS == part])
            turn += 1

    def _post(self, updates: list[dict[str, Any]]) -> None:
        content = json.dumps({"updates": updates}).encode()
        address = f"{self._hub.address}/api/v1/telemetry"
        request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                results = json.load(answer)["results"]
        except urllib.error.HTTPError as error:
            with error:
                results = [{"status": "refused", "code": error.code, "error": error.reason}]
        self._wrong += [str(one) for one in results if one["status"] != "success" and one["code"] != 503]
