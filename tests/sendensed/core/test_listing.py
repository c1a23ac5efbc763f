"""Listing: cursors are opaque, good for one order, and refused where they are not ours."""

import base64
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fault import Invalid
from sendensed.core import listing
from sendensed.core.listing import Mark, Page, Query
from tests.fakes.jobs import EARLY, a_job, text


@given(key=st.none() | st.integers(-(2**63) + 1, 2**63 - 1), name=text, sort=st.sampled_from(listing.SORTS))
def test_a_cursor_is_read_back_as_its_mark(key: int | None, name: str, sort: listing.Sort):
    mark = Mark(key, name)
    carried = listing.cursor(Query(sort=sort, descending=False), mark)
    assert carried.replace("-", "").replace("_", "").isalnum()
    assert listing.read_cursor(carried, sort, descending=False) == mark


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "x",
        "!!",
        "ä",
        "\ud800",
        base64.b64encode(b"[1]").decode(),
        base64.b64encode(b"\xff").decode(),
        base64.b64encode(b'["created",true,[9223372036854775808,"a"]]').decode(),
        base64.b64encode(b'["created",true,[1,"a\\u0000"]]').decode(),
        base64.b64encode(b'["name",true,[1,"a"]]').decode(),
    ],
)
def test_a_cursor_that_no_hub_made_is_refused(bad: str):
    with pytest.raises(Invalid) as caught:
        listing.read_cursor(bad, "created", descending=True)
    assert (caught.value.field, "of the page before" in caught.value.message) == ("cursor", True)


def test_a_cursor_is_good_for_its_own_order_only():
    made = listing.cursor(Query(), Mark(1, "a"))
    for sort, descending in (("bytes", True), ("created", False)):
        with pytest.raises(Invalid, match="another sort"):
            listing.read_cursor(made, sort, descending=descending)


def test_the_key_is_exact_to_the_microsecond():
    job = a_job(
        started_at=EARLY + timedelta(microseconds=1),
        completed_at=EARLY + timedelta(seconds=1),
        bytes_transferred=7,
    )
    assert listing.key(job, "duration") == 999_999
    assert listing.key(job, "started") == listing.key(job, "created") + 1
    assert (listing.key(job, "bytes"), listing.key(job, "heard")) == (7, None)
    assert listing.key(a_job(), "duration") is None


def test_the_last_page_has_no_next():
    jobs = [a_job("a"), a_job("b")]
    assert listing.page(jobs, Query(limit=2)).next is None
    assert listing.page(jobs, Query(limit=1)) == listing.Page(jobs[:1], Mark(listing.key(jobs[0], "created"), "a"))
    assert listing.page([], Query()) == listing.Page([], None)


def test_jobs_are_chosen_by_all_that_is_asked_for_together():
    job = a_job("backup-Web", vm_name="DB", appliance="site", status="failed")
    hour = timedelta(hours=1)
    for yes, no in (
        (Query(statuses=frozenset({"failed"})), Query(statuses=frozenset({"running"}))),
        (Query(job_type="backup"), Query(job_type="restore")),
        (Query(machine="DB"), Query(machine="")),
        (Query(appliance="site"), Query(appliance="")),
        (Query(text="web"), Query(text="x")),
        (Query(text="dB"), Query(text="Web-")),
        (Query(created_from=EARLY), Query(created_from=EARLY + hour)),
        (Query(created_to=EARLY + hour), Query(created_to=EARLY)),
    ):
        assert (yes.wants(job), no.wants(job)) == (True, False)


def test_only_active_states_are_of_active_jobs():
    assert Query(statuses=frozenset({"running", "stalled"})).is_of_active
    assert not Query(statuses=frozenset({"running", "failed"})).is_of_active
    assert not Query().is_of_active


def test_after_a_mark_come_the_jobs_beyond_it_and_those_without_a_key():
    jobs = [a_job("a", started_at=EARLY), a_job("b", started_at=EARLY), a_job("c"), a_job("d")]
    mark = Mark(listing.key(jobs[0], "started"), "b")

    def names(**words) -> str:
        return "".join(job.id for job in listing.ordered(jobs, Query(sort="started", **words)))

    assert (names(), names(descending=False)) == ("badc", "abcd")
    assert (names(after=mark), names(after=mark, descending=False)) == ("adc", "cd")
    assert (names(after=Mark(None, "c")), names(after=Mark(None, "c"), descending=False)) == ("", "d")


@pytest.mark.parametrize("descending", [True, False])
def test_a_page_that_looked_at_some_jobs_only_goes_on_behind_the_last_one_it_saw(descending: bool):
    jobs = [a_job(str(n), created_at=EARLY + timedelta(seconds=n)) for n in range(5)]
    ordered = jobs[::-1] if descending else jobs
    first, *_, seen, beyond = ordered
    query = Query(limit=3, descending=descending)
    assert listing.page([first, beyond], query, seen) == Page([first], listing.mark(seen, query))
    assert listing.page([], query, seen) == Page([], listing.mark(seen, query))
    assert listing.page(ordered, query, beyond) == Page(ordered[:3], listing.mark(ordered[2], query))
