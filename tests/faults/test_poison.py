"""A row that PostgreSQL refuses, at each place of a full batch: it alone is refused, the others are there once."""

import json
import urllib.request
from collections.abc import Sequence

import pytest
import trio

from schemas import telemetry
from sendensed.config import Config
from sendensed.config import Writer as WriterSettings
from sendensed.core.batch import Post
from sendensed.receipt import Receipt
from sendensed.store import Change, bridge
from sendensed.store.postgres import PostgresStore
from tests.e2e.conftest import until_taken
from tests.faults.run import running_hub
from tests.sendensed.actors.rig import Rig
from tests.waits import PATIENCE

FULL = 16
"""Updates of one transaction, where every place is tried."""
POISONS = {
    "a check of its job": "ALTER TABLE backup_jobs ADD CHECK (vm_name <> 'poison')",
    "a check of its disks": "ALTER TABLE backup_jobs ADD CHECK (disks::text NOT LIKE '%poison%')",
    "an overflow in its history": """
        CREATE FUNCTION overflow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF (SELECT vm_name FROM backup_jobs WHERE id = new.job_id) = 'poison'
            THEN PERFORM 9223372036854775807 + 1; END IF; RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER overflow AFTER INSERT ON job_events FOR EACH ROW EXECUTE FUNCTION overflow()""",
}
"""What PostgreSQL takes none of, though all of it is within the contract; classes 23 and 22 of SQLSTATE."""
COUNTS = """
SELECT j.id, j.revision, (SELECT count(*) FROM backup_disks AS d WHERE d.backup_job_id = j.id) AS disks,
    (SELECT count(*) FROM job_events AS e WHERE e.job_id = j.id) AS events,
    (SELECT count(*) FROM job_samples AS s WHERE s.job_id = j.id) AS samples
FROM backup_jobs AS j"""


class Counting(PostgresStore):
    """Knows how many rows each transaction was to write."""

    def __init__(self, pool: bridge.Pool) -> None:
        super().__init__(pool)
        self.sizes: list[int] = []

    async def save(self, changes: Sequence[Change]) -> set[str]:
        self.sizes.append(len(changes))
        return await super().save(changes)


def said(is_poison: bool) -> dict[str, object]:
    word = "poison" if is_poison else "fine"
    disks = [{"disk_index": index, "bytes_transferred": 1, "error_message": word} for index in range(2)]
    return {"status": "running", "sequence": 1, "bytes_transferred": 2, "vm_name": word, "disks": disks}


async def stored(pool: bridge.Pool, prefix: str) -> dict[str, tuple[int, int, int, int]]:
    """Of each job its revision, and how many rows it has of disks, events and samples."""
    rows = await pool.fetch(COUNTS + f" WHERE j.id LIKE '{prefix}-%'")
    return {row["id"]: (row["revision"], row["disks"], row["events"], row["samples"]) for row in rows}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
async def test_among_single_posts_that_share_a_transaction_a_poison_row_refuses_itself_alone(postgres_dsn, poison):
    async with bridge.open_pool(postgres_dsn) as pool:
        await pool.execute(poison)
        store = Counting(pool)
        rig = Rig(Config(writer=WriterSettings(batch=FULL)), store, store)
        async with rig.running():
            for place in range(FULL):
                store.sizes.clear()
                names = [f"at{place}-{number:02}" for number in range(FULL)]
                receipts = [post(rig, name, number == place) for number, name in enumerate(names)]
                answers = [await receipt.wait() for receipt in receipts]
                assert store.sizes[0] == FULL
                refused = [number for number, answer in enumerate(answers) if not hasattr(answer, "applied")]
                assert refused == [place]
                assert (answers[place].status, answers[place].code) == (400, "unstorable")
                others = names[:place] + names[place + 1 :]
                assert await stored(pool, f"at{place}") == dict.fromkeys(others, (1, 2, 1, 1))


def post(rig: Rig, job_id: str, is_poison: bool) -> Receipt:
    """Queues what a sender said, without waiting."""
    content, receipt = json.dumps(said(is_poison)).encode(), Receipt()
    update = telemetry.parse("backup", job_id, content)
    assert rig.intents.offer(Post(job_id, update, rig.hearing.clock.now(), receipt), len(content))
    return receipt


async def test_in_a_push_of_a_thousand_a_poison_row_refuses_itself_alone_wherever_it_stands():
    async with running_hub("") as hub, bridge.open_pool(hub.database, connect_timeout=PATIENCE) as pool:
        await pool.execute(POISONS["a check of its job"])
        for place in (0, 1, 499, 500, 998, 999):
            names = [f"at{place}-{number:03}" for number in range(1_000)]
            rows = [
                {"job_type": "backup", "job_id": name, **said(number == place)}
                for number, name in enumerate(names)
            ]
            results = await trio.to_thread.run_sync(push, hub.url, rows)
            refused = {number: result for number, result in enumerate(results) if result["status"] != "success"}
            assert list(refused) == [place]
            assert (refused[place]["code"], refused[place]["error"]["code"]) == (400, "unstorable")
            others = names[:place] + names[place + 1 :]
            kept = await stored(pool, f"at{place}")  # a push made again writes anew that a job was heard
            assert {name: counts[1:3] for name, counts in kept.items()} == dict.fromkeys(others, (2, 1))


def push(url: str, rows: list[dict[str, object]]) -> list[dict]:
    """What came of each row, pushed again as long as a busy machine has the hub refuse any for its own trouble."""
    body = json.dumps({"updates": rows}).encode()
    request = urllib.request.Request(url + "/api/v1/telemetry", body, {"Content-Type": "application/json"})

    def pushed() -> list[dict]:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["results"]

    for _ in range(10):
        results = until_taken(pushed)
        if 503 not in [result.get("code") for result in results]:
            return results
    raise AssertionError(f"refused again and again: {results[0]}")
