"""A real hub offered more than it takes; the figures are `python -m tests.benchmarks.overload`."""

import json
import urllib.error
import urllib.request

import trio

from tests.e2e.conftest import until_taken
from tests.faults.flood import Figures, Flood
from tests.faults.run import running_hub, wrong_at
from tests.faults.senders import Ledger
from tests.ports import free_port
from tests.waits import PATIENCE

SMALL = "[writer]\nqueue = 1000\nbatch = 100\n"
"""A queue that the pushes of a few relays fill; a tenth of it is more than the ends that are ever under way."""


async def test_too_much_is_refused_with_a_time_to_come_again_and_no_end_and_nothing_acknowledged_is_lost():
    ledger = Ledger()
    async with running_hub(SMALL) as hub:
        usual, *flooded, after = await trio.to_thread.run_sync(calm_flood_calm, hub.port, ledger)
        wrong = await wrong_at(hub, ledger)
    assert wrong == []
    for told in (usual, after):
        assert told.refused.keys() <= {"503 behind"}  # of a hub that gets no time of the machine
        assert told.acknowledged > sum(told.refused.values())
    for told in flooded:
        assert {code[:3] for code in told.refused} == {"503"}
        assert told.without_retry == []
        assert told.ends_refused == {}
        assert told.acknowledged > len(told.ends)


def calm_flood_calm(port: int, ledger: Ledger) -> list[Figures]:
    """The flood lasts until the queue was full and jobs have ended, however slow the machine is."""
    with Flood(port, relays=40, jobs=50, enders=64, ledger=ledger) as flood:
        told = [flood.run(500, 1), flood.run(20_000, 2)]
        while not any("503 queue_full" in one.refused and one.ends for one in told):
            assert len(told) < 20, told
            told.append(flood.run(20_000, 2))
        return [*told, flood.run(500, 1)]


async def test_an_appliance_that_is_too_fast_is_told_to_wait_and_what_it_was_acknowledged_is_there():
    port = free_port()
    settings = f'legacy_listen = "127.0.0.1:{port}"\nlegacy_appliance = "fast"\n[access]\nrate = 1\nburst = 50\n'
    async with running_hub(settings) as hub:
        codes = [await trio.to_thread.run_sync(push, port, "of-the-fast-one", number) for number in range(200)]
        others = [await trio.to_thread.run_sync(push, hub.port, "another's", number) for number in range(20)]
        stored = (await trio.to_thread.run_sync(hub.job, "of-the-fast-one"))["job"]["sequence"]
    assert codes.count(200) >= 50
    assert set(codes) == {200, 429}
    assert stored == max(number for number, code in enumerate(codes) if code == 200)
    assert others == [200] * 20


def push(port: int, job_id: str, sequence: int) -> int:
    """The status of the answer; one that says 429 has to say when to come again."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/telemetry/backup/{job_id}",
        json.dumps({"status": "running", "sequence": sequence}).encode(),
        {"Content-Type": "application/json"},
    )

    def pushed() -> int:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status

    try:
        return until_taken(pushed)
    except urllib.error.HTTPError as error:
        with error:
            assert int(error.headers["Retry-After"]) >= 1
            return error.code
