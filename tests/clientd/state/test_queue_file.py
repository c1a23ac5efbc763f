"""Queue: what was saved is there after the process, whatever else is in the file."""

import sqlite3

from clientd.core.queue import Entry
from clientd.state.queue import SqliteQueue
from tests.fakes import orders


def entry(number: int, **changed: object) -> Entry:
    disk = orders.disk(source_command=("nbdkit", "null"), source="", changes="/c")
    return Entry(number=number, order=orders.order(job_id=f"backup-größe/{number}", disks=(disk,)), **changed)


def test_entries_come_back_as_they_were_saved(tmp_path, environment):
    queue = SqliteQueue(tmp_path, environment)
    assert queue.load() == []
    entries = [entry(2).begun(7).to_end("failed", "why"), entry(5, origin="file")]
    for each in reversed(entries):
        queue.save(each)
    queue.save(entry(9))
    queue.forget(9)
    queue.forget(10)
    queue.close()
    assert SqliteQueue(tmp_path, environment).load() == entries


def test_an_entry_is_replaced_by_its_number(tmp_path, environment):
    queue = SqliteQueue(tmp_path, environment)
    queue.save(entry(1))
    queue.save(entry(1).begun(1))
    assert queue.load() == [entry(1).begun(1)]


def test_an_entry_that_cannot_be_read_is_left_out_and_said(tmp_path, environment, said):
    queue = SqliteQueue(tmp_path, environment)
    queue.save(entry(1))
    queue.save(entry(2))
    queue.close()
    with sqlite3.connect(tmp_path / "queue.db") as db:
        db.execute("UPDATE jobs SET entry = ? WHERE number = 1", (b'{"number": 1}',))
    db.close()
    assert SqliteQueue(tmp_path, environment).load() == [entry(2)]
    assert [line["number"] for line in said if line["log_level"] == "error"] == [1]


def test_a_damaged_file_is_set_aside_and_a_fresh_one_begun(tmp_path, environment, said):
    queue = SqliteQueue(tmp_path, environment)
    queue.save(entry(1))
    queue.close()
    (tmp_path / "queue.db").write_bytes(b"no database" * 100)
    assert queue.load() == []
    queue.save(entry(2))
    assert queue.load() == [entry(2)]
    assert len(list(tmp_path.glob("queue-damaged-*.db"))) == 1
