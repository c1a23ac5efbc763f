"""Output: tables, JSON and names; their order, and what foreign text may not do."""

import json
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from schemas.job import EventView, JobView
from sendensed.cli import columns, options, output, terminal, words
from sendensed.cli.output import Column, Kind
from sendensed.core.model import Meter, Point
from tests.browser.stage import GIB
from tests.sendensed.cli.views import NIGHT, job

PLAIN: Kind[str] = Kind(
    (Column("A", lambda row, now: row), Column("BB", lambda row, now: row[::-1], right=True)), str
)


def test_columns_are_as_wide_as_their_widest_cell_in_places_of_the_terminal():
    assert output.table(PLAIN, ["x", "仮想", "e\u0301é", ""]) == [
        "A       BB",
        "x        x",
        "仮想  想仮",
        "e\u0301é      é\u0301e",
        "-        -",
    ]
    assert output.table(PLAIN, ["x"], headers=False) == ["x  x"]


def test_what_parser_offers_to_sort_by_is_what_the_tables_have():
    assert set(columns.JOBS.orders()) == set(options.JOB_ORDERS)
    assert columns.MACHINES.orders() == options.MACHINE_ORDERS
    assert columns.APPLIANCES.orders() == options.APPLIANCE_ORDERS
    assert columns.EVENTS.orders() == options.EVENT_ORDERS


@pytest.mark.parametrize("kind", [columns.JOBS, columns.MACHINES, columns.APPLIANCES, columns.EVENTS])
def test_a_table_can_be_ordered_by_every_column_that_it_shows(kind: Kind):
    assert kind.orders() == tuple(column.name.lower() for column in kind.columns)


def test_a_finish_comes_first_where_it_is_last_known_to_be_and_errors_before_none():
    jobs = [
        job("a", eta_low_seconds=50, eta_high_seconds=90),
        job("b", error_message="no space"),
        job("c", eta_low_seconds=10, eta_high_seconds=20),
    ]
    assert [one.id for one in output.ordered(columns.JOBS, jobs, "finish")] == ["c", "a", "b"]
    assert [one.id for one in output.ordered(columns.JOBS, jobs, "error")] == ["b", "a", "c"]


def test_the_largest_or_the_first_letter_comes_first_and_what_is_unknown_last_both_ways():
    jobs = [job("b", progress_percent=20.0), job("a", progress_percent=None), job("c", progress_percent=30.0)]

    def ids(by: str, **how: bool) -> str:
        return "".join(one.id for one in output.ordered(columns.JOBS, jobs, by, **how))

    assert ids("done") == "cba"
    assert ids("done", reverse=True) == "bca"
    assert ids("id") == "abc"
    assert ids("id", reverse=True) == "cba"


@pytest.mark.parametrize("kind", [columns.JOBS, columns.MACHINES, columns.APPLIANCES, columns.EVENTS])
def test_every_table_can_be_made_of_nothing(kind: Kind):
    assert len(output.table(kind, [], wide=True)) == 1
    assert output.table(kind, [], headers=False) == []


def test_while_the_targets_are_read_again_the_bytes_are_those_of_that():
    copied = {"bytes_transferred": GIB, "total_bytes": GIB, "total_kind": "allocated"}
    done = Meter(verified=2 * GIB, to_verify=8 * GIB)
    assert words.copied(job(current_phase="transferring", **copied)) == "1.0 GiB / 1.0 GiB allocated"
    assert words.copied(job(current_phase="verifying", meter=done, **copied)) == "2.0 GiB / 8.0 GiB verified"
    assert words.copied(job(current_phase="verifying", **copied)) == "1.0 GiB / 1.0 GiB allocated"
    verifying = job(current_phase="verifying", meter=done, eta_reason="finalizing", transfer_speed_bps=5, **copied)
    assert (words.time_left(verifying), words.speed(verifying)) == ("verifying", "-")
    known = job(current_phase="verifying", meter=done, eta_seconds=75, **copied)
    assert (words.time_left(known), words.speed(known)) == ("1 min 15 s", "-")
    ended = job(status="completed", current_phase="verifying", meter=done, **copied)
    assert words.copied(ended) == "1.0 GiB / 1.0 GiB allocated"
    assert words.verified(ended) == "2.0 GiB / 8.0 GiB"
    assert words.verified(job(meter=Meter(verified=GIB))) == "1.0 GiB"
    assert words.verified(job()) == ""


def test_a_copy_that_is_verified_then_tells_its_own_time_left_and_that():
    points = (Point(0.0, 0), Point(40.0, 4 * GIB))
    meter = Meter(points, points[0], GIB / 10, 9, to_verify=GIB)
    copying = job(current_phase="transferring", eta_reason="verification", total_bytes=13 * GIB, meter=meter)
    assert words.time_left(copying) == "1 min 30 s + verification"
    assert words.time_left(job(eta_reason="verification", total_bytes=GIB)) == "verification"


def test_json_steers_no_terminal_and_reads_the_same(capsys):
    evil = job("a", vm_name="x\x9b31m\u202ey", error_message="\x1b]0;title\x07")
    output.write(columns.JOBS, [evil], NIGHT, "ndjson")
    output.write(columns.JOBS, [evil], NIGHT, "json")
    said = capsys.readouterr().out
    assert not [
        sign for sign in said if sign != "\n" and (ord(sign) < 32 or 127 <= ord(sign) < 160 or sign == "\u202e")
    ]
    line, _, rest = said.partition("\n")
    assert msgspec.json.decode(line, type=JobView) == evil
    assert msgspec.json.decode(rest, type=list[JobView]) == [evil]


def test_tables_and_names_show_foreign_text_without_what_steers(capsys):
    evil = job("a\x1b[2J", vm_name="x\x9b31m", job_type="backup")
    for form in ("table", "wide", "name"):
        output.write(columns.JOBS, [evil], NIGHT, form)
    assert "\x1b" not in (said := capsys.readouterr().out)
    assert "\x9b" not in said
    assert said.splitlines()[-1] == "a\N{REPLACEMENT CHARACTER}[2J"


def test_no_rows_print_nothing_but_an_empty_list_of_json(capsys):
    for form in ("table", "wide", "ndjson", "name"):
        output.write(columns.JOBS, [], NIGHT, form)
    assert capsys.readouterr().out == ""
    output.write(columns.JOBS, [], NIGHT, "json")
    assert json.loads(capsys.readouterr().out) == []


def test_text_is_cut_by_places_and_says_so():
    assert output.cut("abc", 3) == "abc"
    assert output.cut("abcd", 3) == "ab…"
    assert output.cut("仮想想", 4) == "仮…"
    assert output.cut("abc", 0) == ""


def test_colour_is_for_terminals_that_want_it(monkeypatch):
    assert terminal.paint("x", "failed") == "x"  # captured output is no terminal
    monkeypatch.setattr(terminal, "is_live", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal.paint("x", "failed") == "\x1b[31mx\x1b[0m"
    assert terminal.paint("x", "failed chosen") == "\x1b[31;7mx\x1b[0m"
    assert terminal.paint("x", "") == "x"
    assert terminal.paint("", "failed") == ""
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.paint("x", "failed") == "x"
    assert terminal.paint("x", "failed chosen") == "\x1b[7mx\x1b[0m"


def test_wide_shows_when_and_why():
    failed = job(
        "a", status="failed", error_message="no space", started_at=NIGHT, completed_at=NIGHT + timedelta(minutes=5)
    )
    heading, line = output.table(columns.JOBS, [failed], NIGHT, wide=True)
    assert heading.endswith("ID  ERROR")
    assert line.endswith("5 min 00 s  a   no space")


@pytest.mark.parametrize(
    ("places", "heading"),
    [
        (None, "MACHINE TYPE STATE DONE BYTES SPEED LEFT HEARD ID"),
        (97, "MACHINE TYPE STATE DONE BYTES SPEED LEFT HEARD ID"),
        (96, "MACHINE STATE DONE BYTES SPEED LEFT HEARD ID"),
        (80, "MACHINE STATE DONE BYTES SPEED LEFT ID"),
        (60, "MACHINE STATE DONE LEFT ID"),
        (20, "STATE DONE ID"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns_and_none_that_wraps(monkeypatch, places, heading):
    monkeypatch.setattr(terminal, "places", lambda: places)
    one = job(
        "backup-web01-0200", vm_name="web01", eta_reason="measuring", bytes_transferred=GIB, total_bytes=2 * GIB
    )
    lines = output.table(columns.JOBS, [one], NIGHT)
    assert lines[0].split() == heading.split()
    assert places in (None, 20) or max(map(len, lines)) <= places
    assert "FINISH" in output.table(columns.JOBS, [one], NIGHT, wide=True)[0]


SILENT = "no telemetry for 1m00s (last heard 2026-11-23T01:59:00Z at 62.3 %, phase transferring)"


def events(job_id: str) -> list[columns.Told]:
    rows = [("state", "sender", "running", "pending -> running"), ("state", "reaper", "stalled", SILENT)]
    return [
        columns.told(job_id, EventView(NIGHT, kind, who, state, 1, 5, GIB, 62.3, "transferring", detail))
        for kind, who, state, detail in rows
    ]


@pytest.mark.parametrize(
    ("places", "heading"),
    [
        (None, "TIME KIND SAID-BY STATE DONE JOB DETAIL"),
        (120, "TIME KIND SAID-BY STATE DONE JOB DETAIL"),
        (100, "TIME KIND SAID-BY STATE JOB DETAIL"),
        (80, "TIME KIND SAID-BY STATE DONE JOB"),
        (60, "TIME STATE JOB"),
    ],
)
def test_sentences_go_on_below_their_heading_or_stand_under_their_row(monkeypatch, places, heading):
    monkeypatch.setattr(terminal, "places", lambda: places)
    lines = output.table(columns.EVENTS, events("backup-web01-20261123-020"))
    assert lines[0].split() == heading.split()
    assert places is None or max(map(len, lines)) <= places
    whole = " ".join(" ".join(lines).split())
    assert "pending -> running" in whole
    assert places is None or all(word in whole for word in SILENT.split())
    if "DETAIL" in heading:
        assert lines[1].index("pending -> running") == lines[0].index("DETAIL")
        assert {line.index(line.strip()[0]) for line in lines[3:]} <= {lines[0].index("DETAIL")}
    else:
        assert lines[2] == "    pending -> running"
    assert output.table(columns.EVENTS, [], headers=False) == []
    assert "no telemetry" in output.table(columns.EVENTS, events("a"), wide=True)[2]


def test_a_row_without_a_sentence_has_no_line_under_it(monkeypatch):
    monkeypatch.setattr(terminal, "places", lambda: 60)
    rows = [replace(event, detail="") for event in events("backup-web01-20261123-020")]
    assert len(output.table(columns.EVENTS, rows, headers=False)) == 2
    monkeypatch.setattr(terminal, "places", lambda: 200)
    assert output.table(columns.EVENTS, rows)[1].endswith("020  -")


def test_text_is_wrapped_between_words_and_a_word_that_is_too_long_where_it_must():
    assert output.wrapped("one two three", 8) == ["one two", "three"]
    assert output.wrapped("a abcdefgh b", 3) == ["a", "abc", "def", "gh", "b"]
    assert output.wrapped("仮想 想仮想", 4) == ["仮想", "想仮", "想"]
    assert output.wrapped("", 5) == [""]
    assert output.wrapped("仮想", 0) == ["仮", "想"]
