"""Lines: whoever writes never waits, and what was written is there at the end."""

import os

from clientd.cli.lines import Lines


def test_lines_arrive_whole_in_order_and_before_the_close_returns():
    reading, writing = os.pipe()
    lines = Lines(writing)
    assert not lines.isatty()
    for text in ("one\n", "größe \udcff\n", "last"):
        assert lines.write(text) == len(text)
    lines.flush()
    lines.close()
    lines.close()
    assert os.read(reading, 1000) == "one\ngröße \\udcff\nlast".encode()
    os.close(reading)
    os.close(writing)


def test_nobody_waits_for_a_reader_that_stands_still():
    reading, writing = os.pipe()
    lines = Lines(writing)
    for _ in range(3000):
        lines.write("x" * 1000)
    lines.close()
    os.close(reading)  # lets the thread go


def test_a_reader_that_went_away_costs_the_line():
    reading, writing = os.pipe()
    os.close(reading)
    lines = Lines(writing)
    lines.write("one\n")
    lines.close()
    os.close(writing)
