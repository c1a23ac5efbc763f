"""Panel: what top shows and what its keys change; and how keys are read off a terminal."""

import pytest

from sendensed.cli import keys, output, panel
from sendensed.cli.panel import Scene, View
from sendensed.core.model import Disk
from tests.sendensed.cli.views import NIGHT, job

JOBS = [
    job(
        "one", vm_name="web", transfer_speed_bps=10, progress_percent=50.0, disks=(Disk(0, 1, 2, 50.0, "running"),)
    ),
    job("two", vm_name="db", transfer_speed_bps=30, progress_percent=10.0),
    job("three", vm_name="mail", transfer_speed_bps=20, status="failed", error_message="no space"),
]


def shown(view: View, width: int = 120, height: int = 24, **scene: object) -> list[str]:
    lines = panel.frame(view, Scene(JOBS, NIGHT, **scene), width, height)
    assert len(lines) <= height
    texts = ["".join(text for text, _ in line) for line in lines]
    assert all(output.width(text) <= width for text in texts)
    return texts


def after(view: View, *pressed: str) -> View | None:
    for key in pressed:
        view = panel.press(view, key, panel.shown(view, JOBS))
    return view


def test_running_jobs_are_shown_in_the_order_asked_for():
    first, head, *rows, foot = shown(View("machine"))
    assert first == "2 running, 0 stalled, 1 failed; last telemetry 0 s ago"
    assert head.split()[:2] == ["MACHINE", "STATE"]
    assert [row.split()[0] for row in rows] == ["db", "web"]
    assert foot.startswith("by machine   q quit")
    assert [row.split()[0] for row in shown(View("done"))[2:4]] == ["web", "db"]
    assert [row.split()[0] for row in shown(View("speed", reverse=True, ended=True))[2:5]] == ["web", "mail", "db"]


def test_ended_jobs_come_by_a_key_and_disks_by_another():
    view = after(View("machine"), "a", "down", "down", " ", "down", "enter")
    lines = shown(view)
    assert [line.split()[0] for line in lines[2:-1]] == ["db", "mail", "no", "web", "disk"]
    assert "no space" in lines[4]
    assert "50.0 %  1 B / 2 B" in lines[6]
    assert len(shown(after(view, " "))) == len(lines) - 1
    assert shown(after(View("machine"), "down", " "))[3].strip() == "no disks are told of"


def test_disks_on_a_narrow_terminal_lose_their_bar_and_no_half_of_a_word():
    disks = (Disk(0, 2**30, 2**31, 50.0, "running", bottleneck="network"),)
    jobs = [job("one", vm_name="web", disks=disks)]
    lines = panel.frame(View("machine", opened=frozenset({"one"})), Scene(jobs, NIGHT), 80, 24)
    assert "".join(text for text, _ in lines[3]).split() == [
        "disk",
        "0",
        "running",
        "50.0",
        "%",
        "1.0",
        "GiB",
        "/",
        "2.0",
        "GiB",
        "network",
        "-",
    ]


def test_keys_move_order_and_leave():
    assert after(View("machine"), "q") is None
    assert after(View("machine"), "right", ">", "left").by == "type"
    assert after(View("machine"), "left").by == "error"
    assert after(View("error"), "right").by == "machine"
    assert after(View("machine"), "r").reverse
    assert after(View("machine"), "j", "j", "j").chosen == "one"
    assert after(View("machine"), "G", "k", "up").chosen == "two"
    assert after(View("machine"), "end", "home").chosen == "two"
    assert after(View("machine"), " ", "x") == View("machine")
    assert panel.press(View("machine"), "j", []) == View("machine")


def test_a_narrow_terminal_keeps_what_is_most_wanted_and_the_column_of_the_order():
    assert shown(View("machine"), width=60)[1].split() == ["MACHINE", "STATE", "DONE", "SPEED", "LEFT"]
    assert shown(View("attempt"), width=42)[1].split() == ["MACHINE", "STATE", "DONE", "ATTEMPT"]
    shown(View("machine"), width=1, height=1)


def test_the_cursor_stays_in_sight_of_a_low_terminal():
    view = after(View("machine", ended=True), "G")
    lines = shown(view, height=5)
    assert lines[-2].startswith("web")
    assert "lines 2 to 3 of 3" in shown(view, height=5, width=200)[-1]


def test_a_lost_feed_a_hub_without_its_database_and_no_jobs_are_said():
    assert shown(View("machine"), lost=5.0)[1].startswith("live feed lost 5 s ago")
    assert shown(View("machine"), ready=False)[1].startswith("the hub cannot reach its database")
    empty = panel.frame(View("machine"), Scene([], None), 80, 24)
    assert [text for text, _ in empty[0]] == ["0 running, 0 stalled, 0 failed"]
    assert [text for text, _ in empty[2]] == ["no running job"]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]),
        ("\x1bOAj\r", ["up", "j", "enter"]),
        ("\x1b[H\x1b[F", ["home", "end"]),
        ("\x1b[1;5Cq\x1b[15~k", ["q", "k"]),
        ("\x1b", []),
        ("\x1b[", []),
    ],
)
def test_keys_are_read_and_unknown_escapes_are_none(sent: str, read: list[str]):
    assert keys.read(sent) == read
