"""Newer: a schema that has been added to since, as a hub of the next version leaves it; and that hub.

python -m tests.fakes.newer --open ...
"""

import sys

from sendensed.__main__ import main
from sendensed.store import migrate

_SHIPPED = migrate.shipped()
_TABLES = ("backup_jobs", "job_events", "job_samples", "hubs", "alarms", "tokens", "appliances", "hub_notes")
_COLUMNS = "ADD COLUMN later text NOT NULL DEFAULT 'x', ADD COLUMN other int"
_ADDED = f"""-- Serves hubs from {len(_SHIPPED):04}.
{"".join(f"ALTER TABLE {table} {_COLUMNS};" for table in _TABLES)}
CREATE INDEX ON backup_jobs (later);
CREATE TABLE later (id text PRIMARY KEY)"""
NEWER = (*_SHIPPED, migrate.Migration(len(_SHIPPED) + 1, f"{len(_SHIPPED) + 1:04}_later.sql", _ADDED))

if __name__ == "__main__":
    migrate.shipped = lambda: NEWER
    sys.exit(main(["serve", *sys.argv[1:]]))
