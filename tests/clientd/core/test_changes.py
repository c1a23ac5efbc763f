"""Changes: an extents file is read strictly, and refused whole with its line."""

import pytest

from clientd.core import changes
from clientd.core.changes import ChangesInvalid
from clientd.core.extents import Extent


def test_ranges_come_as_they_stand_and_empty_lines_are_passed_over():
    lines = [
        b'{"offset": 10, "length": 5}\n',
        b"\n",
        b'{"length": 0, "offset": 3}\r\n',
        b'{"offset":0,"length":1}',
    ]
    assert changes.parse(lines) == [Extent(10, 5), Extent(3, 0), Extent(0, 1)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"[1, 2]", "line 2: Expected 'object'"),
        (b'{"offset": 1}', "line 2: Object missing required field 'length'"),
        (b'{"offset": -1, "length": 5}', "line 2: Expected 'int' >= 0"),
        (b'{"offset": 1.5, "length": 5}', "line 2: Expected 'int'"),
        (b'{"offset": 9223372036854775808, "length": 5}', "line 2: Expected 'int' <= 9223372036854775807"),
        (b'{"start": 1, "length": 5}', "line 2: Object contains unknown field 'start'"),
        (b"\xff", "line 2: "),
        (b"x" * 5000, "line 2: it is longer than 4096 bytes"),
    ],
)
def test_anything_else_is_refused_with_its_line(line, said):
    with pytest.raises(ChangesInvalid) as caught:
        changes.parse([b'{"offset": 1, "length": 1}', line])
    assert str(caught.value).startswith(said)


def test_a_file_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(changes, "MOST", 3)
    with pytest.raises(ChangesInvalid, match="line 4: it holds more than 3 ranges"):
        changes.parse([b'{"offset": 1, "length": 1}'] * 9)
