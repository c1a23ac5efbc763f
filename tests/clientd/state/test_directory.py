"""Directory: the state has its place, and a process is alive as long as it is."""

from pathlib import Path

import pytest

from clientd.state.directory import Owner, state_directory
from tests.fakes.spools import TurnedClock


@pytest.mark.parametrize(
    ("given", "variables", "root", "found"),
    [
        ("/mine", {"STATE_DIRECTORY": "/service"}, True, "/mine"),
        (None, {"STATE_DIRECTORY": "/service:/other"}, True, "/service"),
        (None, {}, True, "/var/lib/clientd"),
        (None, {"XDG_STATE_HOME": "/home/me/state"}, False, "/home/me/state/clientd"),
        (None, {}, False, str(Path.home() / ".local/state/clientd")),
    ],
)
def test_the_state_has_its_place(given, variables, root, found):
    assert state_directory(given, variables, root=root) == Path(found)


def test_an_owner_is_alive_until_it_goes_and_nobody_is_never(tmp_path):
    environment = TurnedClock()
    first, second = Owner(tmp_path / "state", environment), Owner(tmp_path / "state", environment)
    assert first.number != second.number
    assert not second.is_gone(first.number)
    assert not first.is_gone(first.number)
    assert first.is_gone(0)
    first.close()
    assert second.is_gone(first.number)
    second.close()
