"""Exposition: text that Prometheus' own readers take."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_plain

from sendensed.core.exposition import Family, write
from sendensed.core.gauges import BOUNDS, Histogram

SPENT = Histogram()
for value in (0.002, 0.2, 60.0):
    SPENT.add(value)
NAME = 'a "b"\\ \n ü'
FAMILIES = [
    Family("some_jobs", "gauge", "Jobs \\ by\nstate.", {(("state", NAME),): 3, (("state", "b"),): 0.5}),
    Family("some_bytes", "counter", "Bytes.", {(): 2**62}),
    Family("some_seconds", "histogram", "Spent.", {(("kind", "x"),): SPENT}),
    Family("nothing", "gauge", "No value.", {}),
]


def test_both_formats_read_back_as_written():
    for read, is_open in ((read_open, True), (read_plain, False)):
        text = write(FAMILIES, open_metrics=is_open).decode()
        jobs, done, spent, *_ = read(text)
        assert [(one.labels, one.value) for one in jobs.samples] == [({"state": NAME}, 3), ({"state": "b"}, 0.5)]
        assert [(one.name, one.value) for one in done.samples] == [("some_bytes_total", 2**62)]
        counts = {one.labels["le"]: one.value for one in spent.samples if one.name.endswith("_bucket")}
        assert len(counts) == len(BOUNDS) + 1
        assert (counts["0.001"], counts["0.0025"], counts["0.25"], counts["10.0"], counts["+Inf"]) == (
            0,
            1,
            2,
            2,
            3,
        )
        rest = {one.name: one.value for one in spent.samples if not one.name.endswith("_bucket")}
        assert rest == {"some_seconds_sum": 60.202, "some_seconds_count": 3}


def test_open_metrics_names_families_without_total_and_has_an_end():
    assert write(FAMILIES, open_metrics=True).endswith(b"# EOF\n")
    assert b"# TYPE some_bytes counter\nsome_bytes_total 4611686018427387904\n" in write(
        FAMILIES, open_metrics=True
    )
    assert b"# TYPE some_bytes_total counter\n" in write(FAMILIES, open_metrics=False)
