"""Terminal: watch, top and wait on a real pseudo-terminal: drawn, resized, typed at, and left as it was."""

import re
import sys

import pytest

from tests.browser.hub import GIB, disk
from tests.sendensed.cli.conftest import ROOT
from tests.sendensed.cli.terminal import Terminal

BARE = "\x1b[?25h\x1b[?1049l"
"""What gives the terminal back: its cursor and its own screen."""


@pytest.fixture(scope="module", autouse=True)
def fleet(hub):
    disks = [disk(0, 50), disk(1, 25)]
    hub.send("backup-web01", vm_name="web01", status="running", current_phase="transferring", disks=disks)
    hub.send("backup-db01", vm_name="db01", status="running", bytes_transferred=GIB, total_bytes=4 * GIB)
    hub.send("backup-mail", vm_name="mail", status="failed", error="no space")


@pytest.fixture
def terminal(hub, environment):
    """`terminal(WORDS)` runs the command on a terminal of its own."""
    opened: list[Terminal] = []

    def start(*words: str, columns: int = 100, lines: int = 24, **more: str) -> Terminal:
        command = [sys.executable, "-m", "sendensed", *words]
        known = {**environment, "SENDENSE_HUB": hub.address, **more}
        known.pop("COLUMNS", None)
        known.pop("LINES", None)
        opened.append(Terminal(command, env=known, columns=columns, lines=lines))
        return opened[-1]

    yield start
    for one in opened:
        one.__exit__()


def last_frame(terminal: Terminal) -> list[str]:
    """What top has drawn last, line by line, without what steers."""
    frame = terminal.raw.rpartition("\x1b[H")[2]
    return Terminal.plain(frame).splitlines()


def test_watch_redraws_on_a_terminal_and_ctrl_c_is_130(terminal, hub):
    shown = terminal("watch", columns=120)
    shown.wait_for(r"2 running, 0 stalled, 1 failed")
    shown.wait_for(r"web01 +▶ running")
    hub.send("backup-db01", status="running", bytes_transferred=2 * GIB)
    shown.wait_for(r"50\.0 % +2.0 GiB / 4.0 GiB")
    shown.type("\x03")
    assert shown.wait() == 130
    assert "Traceback" not in shown.text


def test_a_table_is_no_wider_than_its_terminal(terminal):
    shown = terminal("jobs", columns=60)
    assert shown.wait() == 0
    shown.wait_for(r"web01 +▶ running")
    assert max(len(line) for line in shown.text.splitlines()) <= 60
    assert "HEARD" not in shown.text


@pytest.mark.parametrize(
    "words", [["events"], ["job", "backup-web01"], ["machine", "web01"], ["machines"], ["jobs"]]
)
@pytest.mark.parametrize("columns", [80, 60])
def test_no_line_of_a_list_wraps_and_what_happened_is_told_whole(terminal, words: list[str], columns: int):
    shown = terminal(*words, columns=columns)
    assert shown.wait() == 0
    shown.wait_for("web01")
    assert max(len(line) for line in shown.text.splitlines()) <= columns
    if words[0] in ("events", "job"):
        assert re.search(r"sender +running", shown.text)


def test_watch_that_is_stopped_leaves_the_shell_its_cursor_and_goes_on_in_the_foreground(hub, environment):
    known = {**environment, "SENDENSE_HUB": hub.address, "PS1": "shell> ", "PYTHONPATH": str(ROOT)}
    with Terminal(["bash", "--norc", "--noprofile", "-i"], env=known, columns=120) as shell:
        shell.wait_for(r"shell> $")
        shell.type(f"{sys.executable} -m sendensed watch\n")
        shell.wait_for(r"web01 +▶ running")
        shell.type("\x1a")
        shell.wait_for(r"Stopped.*\n.*shell> $")
        assert shell.raw.rfind("\x1b[?25h") > shell.raw.rfind("\x1b[?25l")
        shell.forget()
        shell.type("fg\n")
        shell.wait_for(r"web01 +▶ running")
        shell.type("\x03")
        shell.wait_for(r"shell> $")
        assert shell.raw.rfind("\x1b[?25h") > shell.raw.rfind("\x1b[?25l")
        shell.type("exit\n")
        assert shell.wait() == 130


def test_watch_of_ended_jobs_ends(terminal):
    shown = terminal("watch", "backup-mail")
    assert shown.wait() == 4
    assert "no space" in shown.text


def test_top_follows_keys_and_the_windows_size_and_gives_the_terminal_back(terminal, hub):
    shown = terminal("top", columns=120, lines=20)
    before = shown.settings()
    shown.wait_for(r"by machine +q quit")
    shown.wait_for("db01.*\n?.*web01")
    assert "mail" not in shown.text
    shown.type("a")
    shown.wait_for("✗ failed")
    shown.forget()
    shown.type("GG \x1b[C")
    shown.wait_for(r"disk 1 +running")
    shown.wait_for("by type")
    shown.forget()
    shown.resize(50, 8)
    shown.wait_for("by type")
    lines = last_frame(shown)
    assert len(lines) <= 8
    assert max(map(len, lines)) <= 50
    shown.forget()
    hub.send("backup-new", vm_name="anew", status="running")
    shown.resize(110, 24)
    shown.wait_for("anew")
    shown.type("q")
    assert shown.wait() == 0
    assert shown.raw.rstrip().endswith(BARE)
    assert shown.settings() == before


@pytest.mark.parametrize(("keys", "code"), [("\x03", 130), ("q", 0)])
def test_top_is_left_in_order(terminal, keys: str, code: int):
    shown = terminal("top")
    before = shown.settings()
    shown.wait_for("q quit")
    shown.type(keys)
    assert shown.wait() == code
    assert shown.raw.rstrip().endswith(BARE)
    assert shown.settings() == before


def test_top_that_is_stopped_gives_the_terminal_back_and_takes_it_again_in_the_foreground(hub, environment):
    known = {**environment, "SENDENSE_HUB": hub.address, "PS1": "shell> ", "PYTHONPATH": str(ROOT)}
    with Terminal(["bash", "--norc", "--noprofile", "-i"], env=known, columns=110) as shell:
        shell.wait_for(r"shell> $")
        shell.type(f"{sys.executable} -m sendensed top\n")
        shell.wait_for("q quit")
        for brought_back in ("fg\n", "bg\nfg\n"):
            shell.forget()
            shell.type("\x1a")
            shell.wait_for(r"Stopped.*\n.*shell> $")
            assert BARE in shell.raw
            shell.type("stty -a | tr -d '\\n'; echo\n")
            shell.wait_for(r" icanon .* echo ")
            shell.forget()
            shell.type(brought_back)
            shell.wait_for("q quit")
            assert "\x1b[?1049h" in shell.raw
        shell.forget()
        shell.type("r")
        shell.wait_for("by machine, reversed")
        shell.type("q")
        shell.wait_for(r"shell> $")
        shell.type("exit\n")
        assert shell.wait() == 0


def test_top_that_is_told_to_end_leaves_in_order(terminal):
    shown = terminal("top")
    shown.wait_for("q quit")
    shown.process.terminate()
    assert shown.wait() == 143
    assert shown.raw.rstrip().endswith(BARE)


def test_top_without_a_hub_says_so_on_the_terminal_as_it_was(terminal):
    shown = terminal("top", SENDENSE_HUB="http://127.0.0.1:9")
    assert shown.wait() == 8
    assert "no live feed at http://127.0.0.1:9" in shown.text
    assert "\x1b[?1049h" not in shown.raw


def test_wait_keeps_one_line_up_to_date_and_takes_it_away(terminal, hub):
    hub.send("waited", status="running", bytes_transferred=GIB, total_bytes=4 * GIB)
    shown = terminal("wait", "waited")
    shown.wait_for(r"waited  ━━━━━━─+  25\.0 %  1.0 GiB / 4.0 GiB")
    hub.send("waited", status="completed", bytes_transferred=4 * GIB)
    assert shown.wait() == 0
    assert re.search(r"\r\x1b\[Kwaited  completed  pending  100 %  4.0 GiB / 4.0 GiB  [^\r]+/s\r\n$", shown.raw)


def test_wait_that_is_interrupted_is_130_and_leaves_no_line(terminal):
    shown = terminal("wait", "backup-db01", columns=30)
    shown.wait_for("db01  ━")
    assert max(map(len, shown.text.replace("\r", "\n").splitlines())) <= 30
    shown.type("\x03")
    assert shown.wait() == 130
    assert shown.raw.replace("^C", "").endswith("\r\x1b[K")


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(terminal, more: dict[str, str], coloured: bool):
    shown = terminal("jobs", **more)
    assert shown.wait() == 0
    assert ("\x1b[31m✗ failed" in shown.raw) is coloured
    assert ("\x1b" in shown.raw) is coloured


def test_a_terminal_that_cannot_be_redrawn_gets_lines(terminal):
    shown = terminal("watch", "backup-mail", TERM="dumb")
    assert shown.wait() == 4
    assert "\x1b" not in shown.raw
    assert shown.text.startswith("backup-mail  failed  ")
