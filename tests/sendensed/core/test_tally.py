"""Tally: rows of whole numbers, and what they say together."""

import pytest

from sendensed.core import tally
from sendensed.core.gauges import PERIOD, Gauges
from sendensed.core.tally import Standing
from tests.fakes.jobs import a_job, an_event

STANDS = Standing(serves=True, is_ready=True, uptime=90.5, queue_depth=3, queue_limit=4096, viewers=2)
GONE = Standing(serves=False, is_ready=False, uptime=0.0, queue_depth=0, queue_limit=0, viewers=0)


def row(gauges: Gauges, at: float = 0.0, stands: Standing = STANDS) -> list[int]:
    """A hub's whole row."""
    return [*tally.counters(gauges), *tally.standing(gauges, at, stands)]


def busy() -> Gauges:
    """One that has measured something of each kind."""
    gauges = Gauges(0.0)
    gauges.committed(0.0, 4, 0.25)
    gauges.answered(0.0, [0.5, 1.5])
    gauges.database.add(0.0, [0.003])
    gauges.changed(None, a_job(bytes_transferred=7), [an_event(status="failed", said_by="reaper")])
    gauges.viewer_skips = 5
    return gauges


def test_a_row_has_its_length_and_says_what_was_measured():
    numbers = row(busy())
    assert len(numbers) == tally.ROW
    assert all(isinstance(number, int) and number >= 0 for number in numbers)
    told = tally.read([numbers])
    assert (told.batched, told.copied_bytes, told.viewer_skips, told.batch_size) == (4, 7, 5, 4.0)
    assert told.flips == {("reaper", "failed"): 1}
    for timings in (told.total, told.recent):
        assert (timings.delay.sum, sum(timings.delay.counts)) == (2.0, 2)
        assert (timings.batch.sum, timings.batch.counts[7]) == (0.25, 1)
        assert (timings.database.sum, timings.database.counts[2]) == (0.003, 1)
    assert told.hubs == (STANDS,)


def test_hubs_are_added_up_and_each_stands_for_itself():
    nobody = row(Gauges(0.0), stands=GONE)
    told = tally.read([row(busy()), nobody, row(busy())])
    assert (told.batched, told.copied_bytes, told.viewer_skips, told.batch_size) == (8, 14, 10, 4.0)
    assert told.flips == {("reaper", "failed"): 2}
    assert (told.total.delay.sum, sum(told.total.delay.counts)) == (4.0, 4)
    assert told.recent.delay.quantile(0.95) == busy().delay.recent(0.0).quantile(0.95)
    assert told.hubs == (STANDS, GONE, STANDS)


def test_recent_values_are_forgotten_and_counters_are_not():
    told = tally.read([row(busy(), at=9 * PERIOD)])
    assert told.recent.delay.mean() is None
    assert sum(told.total.delay.counts) == 2


def test_a_hub_at_rest_has_nothing_to_tell():
    told = tally.read([row(Gauges(0.0))])
    assert (told.batched, told.flips, told.batch_size, told.total.batch.mean()) == (0, {}, None, None)


@pytest.mark.parametrize("place", range(len(tally.FLIPS)))
def test_every_change_of_state_has_a_number_of_its_own(place: int):
    voice, state = tally.FLIPS[place]
    gauges = Gauges(0.0)
    gauges.changed(None, a_job(), [an_event(status=state, said_by=voice)])
    assert tally.read([row(gauges)]).flips == {(voice, state): 1}
