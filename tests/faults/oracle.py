"""Oracle: the database held against the senders' ledger. Says what was lost, made up, halved or misjudged."""

from sendensed.store import bridge
from tests.faults.senders import Account, Ledger, job_bytes
from tests.waits import PATIENCE

_ROWS = """
SELECT j.id, j.status, j.attempt, j.sequence, j.bytes_transferred,
    (SELECT sum(bytes_transferred)::bigint FROM backup_disks WHERE backup_job_id = j.id) AS disks,
    (SELECT count(*) FROM job_events AS e WHERE e.job_id = j.id AND e.kind = 'state'
        AND e.attempt = j.attempt AND e.status = j.status AND e.said_by = 'sender') AS said,
    (SELECT count(*) FROM job_events AS e WHERE e.job_id = j.id AND e.said_by = 'reaper' AND e.status = 'failed')
        AS verdicts,
    j.last_telemetry_at < now() - interval '1 s' * $1 AS silent
FROM backup_jobs AS j"""


async def faults(dsn: str, ledger: Ledger, stall_after: float) -> list[str]:
    """Every way in which the database is not what it has to be, as sentences; none is what is hoped for.

    `stall_after` are the seconds of silence after which the hub may call a job stalled, which its sender does not.
    """
    async with bridge.open_pool(dsn, max_size=1, connect_timeout=PATIENCE) as pool:
        rows = {row["id"]: row for row in await pool.fetch(_ROWS, stall_after, timeout=PATIENCE)}
    found = [f"{job_id}: nobody sent it" for job_id in rows if job_id not in ledger.accounts]
    for job_id, account in ledger.accounts.items():
        found.extend(f"{job_id}: {fault}" for fault in _of_job(account, rows.get(job_id)))
    return found


def _of_job(account: Account, row) -> list[str]:
    if row is None:
        return [f"acknowledged at {account.acknowledged}, and not there"] if account.acknowledged[0] else []
    stored = (row["attempt"], row["sequence"])
    found = []
    if stored < account.acknowledged:
        found.append(f"lost: acknowledged at {account.acknowledged}, stored at {stored}")
    if stored > account.sent:
        found.append(f"made up: sent up to {account.sent}, stored at {stored}")
        return found
    if not row["bytes_transferred"] == row["disks"] == job_bytes(stored):
        found.append(f"halved: {row['bytes_transferred']} bytes, disks {row['disks']}, at {stored}")
    may_be = {account.says(stored)} | (
        {"stalled"} if row["silent"] and account.says(stored) == "running" else set()
    )
    if row["status"] not in may_be:
        found.append(f"at {stored} it is {row['status']}, the sender said {account.says(stored)}")
    elif row["status"] not in ("running", "stalled") and row["said"] != 1:
        found.append(f"its end stands {row['said']} times in the history")
    if row["verdicts"]:
        found.append("the reaper failed it, and it was alive")
    return found
