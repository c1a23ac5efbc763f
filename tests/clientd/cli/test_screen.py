"""Screen: one line below the logs on a terminal, nothing but logs elsewhere."""

import io

from clientd import logs
from clientd.cli import screen
from clientd.cli.screen import Screen
from schemas.telemetry import DiskBody, TelemetryBody

BODY = TelemetryBody(
    current_phase="transferring",
    bytes_transferred=3 * 2**30,
    total_bytes=8 * 2**30,
    transfer_speed_bps=200 * 2**20,
    progress_percent=37.5,
)
LINE = "transferring  ━━━━╸───────  37.5 %   3.0 GiB / 8.0 GiB   200.0 MiB/s"


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Gone(Terminal):
    def write(self, text):
        raise BrokenPipeError


def test_the_line_tells_phase_progress_and_speed():
    assert screen.status_line(BODY) == LINE
    assert (
        screen.status_line(TelemetryBody(current_phase="starting"))
        == "starting      ────────────   0.0 %   0 B   0 B/s"
    )


def test_the_line_ends_with_what_the_disks_under_way_wait_for():
    disks = (
        DiskBody(0, status="running", bottleneck="write"),
        DiskBody(1, status="running", bottleneck="read"),
        DiskBody(2, status="running", bottleneck="write"),
        DiskBody(3, status="completed", bottleneck="network"),
        DiskBody(4, status="running"),
    )
    assert screen.status_line(TelemetryBody(current_phase="transferring", disks=disks)).endswith(
        "/s   write, read"
    )


def test_the_line_of_a_verification_tells_how_much_of_the_targets_is_read_again():
    body = TelemetryBody(current_phase="verifying", bytes_transferred=5, bytes_to_verify=8 * 2**30)
    assert screen.status_line(body) == "verifying     ────────────   0.0 %   0 B / 8.0 GiB verified"
    body = TelemetryBody(current_phase="verifying", bytes_verified=3 * 2**30, bytes_to_verify=8 * 2**30)
    assert screen.status_line(body) == "verifying     ━━━━╸───────  37.5 %   3.0 GiB / 8.0 GiB verified"
    body = TelemetryBody(current_phase="transferring", bytes_transferred=5, bytes_to_verify=8 * 2**30)
    assert screen.status_line(body) == "transferring  ────────────   0.0 %   5 B   0 B/s"


def test_a_bar_is_full_at_the_end_alone():
    assert [screen.bar(percent) for percent in (0.0, 4.2, 99.9, 100.0, 150.0)] == [
        "────────────",
        "╸───────────",
        "━━━━━━━━━━━╸",
        "━━━━━━━━━━━━",
        "━━━━━━━━━━━━",
    ]


def test_a_line_that_would_wrap_is_cut(monkeypatch):
    monkeypatch.setattr(screen.os, "get_terminal_size", lambda descriptor: screen.os.terminal_size((20, 5)))
    terminal = Terminal()
    Screen(terminal).show(BODY)
    assert terminal.getvalue() == f"\r\x1b[K{LINE[:19]}"


def test_sizes_are_binary():
    assert [screen.size(count) for count in (0, 1023, 1024, 2**62)] == ["0 B", "1023 B", "1.0 KiB", "4.0 EiB"]


def test_log_lines_stand_above_the_status_line():
    terminal = Terminal()
    there = Screen(terminal)
    there.write("before\n")
    there.show(BODY)
    there.show(BODY)
    there.write("after\n")
    there.flush()
    there.done()
    there.done()
    assert terminal.getvalue() == f"before\n\r\x1b[K{LINE}\r\x1b[Kafter\n{LINE}\r\x1b[K"


def test_off_a_terminal_there_is_no_status_line():
    stream = io.StringIO()
    there = Screen(stream)
    there.show(BODY)
    there.write("log\n")
    there.done()
    assert stream.getvalue() == "log\n"


def test_a_terminal_that_went_away_is_no_reason_to_stop(environment):
    there = Screen(Gone())
    there.show(BODY)
    logs.configure("text", there, environment)
    logs.structlog.get_logger().info("unheard")
    there.done()
