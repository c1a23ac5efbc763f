"""Spool: an end that its own process did not tell."""

from clientd.core import spool
from clientd.core.moment import Moment
from clientd.core.spool import Lot
from schemas import codec, telemetry


def test_an_interrupted_attempt_ends_as_failed_behind_all_that_it_can_have_sent():
    now = Moment("boot-1", 5.0, 1000.0)
    lot = spool.interrupted(Lot("repl-db 1", "replication", 3), now, "2026-11-23T02:14:07Z", "clientd/test")
    assert lot.ended
    [end] = lot.waiting
    assert end.final
    assert end.made == now
    told = telemetry.parse("replication", "repl-db 1", codec.encode(end.aged(now)))
    assert (told.status, told.attempt, told.error) == ("failed", 3, spool.INTERRUPTED)
    assert told.sequence > 10**15
