"""The store that fails on purpose fails as told, and says so where it was never asked."""

from datetime import UTC, datetime

import pytest

from sendensed.store import Change, StoreUnavailable
from sendensed.store.memory import MemoryStore
from tests.fakes.jobs import a_job
from tests.fakes.stores import FaultyStore

_GONE = StoreUnavailable("gone")


@pytest.fixture
def base():
    return MemoryStore(lambda: datetime(2026, 11, 23, tzinfo=UTC))


async def test_a_failed_save_stores_nothing_and_the_next_one_works(base):
    with FaultyStore(base).fail("save", _GONE, times=2) as store:
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await store.save([Change(a_job(), None)])
        assert await store.jobs(limit=1) == []
        assert await store.save([Change(a_job(), None)]) == {a_job().id}


async def test_a_save_that_fails_after_its_commit_has_stored_all(base):
    with FaultyStore(base).fail_after("save", _GONE) as store:
        with pytest.raises(StoreUnavailable):
            await store.save([Change(a_job(), None)])
        assert await store.load([a_job().id]) == {a_job().id: a_job(revision=1)}


async def test_faults_come_in_the_order_they_were_given_each_for_its_method(base):
    store = FaultyStore(base).fail("now", _GONE).fail("job", ValueError("bug")).fail("silent", _GONE)
    with pytest.raises(ValueError, match="bug"):
        await store.job("a")
    with pytest.raises(StoreUnavailable):
        await store.silent(datetime(2026, 11, 23, tzinfo=UTC))
    with pytest.raises(StoreUnavailable):
        await store.now()
    store.done()
    assert await store.now() == datetime(2026, 11, 23, tzinfo=UTC)


def test_a_fault_that_was_never_met_fails_the_test(base):
    with pytest.raises(AssertionError, match="faults never met"), FaultyStore(base).fail("load", _GONE, 2):
        pass


def test_a_fault_of_no_method_is_refused(base):
    with pytest.raises(AssertionError, match="a store has no laod"):
        FaultyStore(base).fail("laod", _GONE)
