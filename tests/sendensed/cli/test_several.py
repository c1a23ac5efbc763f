"""Several: which of several names a sentence is of."""

import pytest

from sendensed.cli import several
from sendensed.errors import Partial, SendensedError


def test_each_failure_says_whose_it_is(capsys):
    def cancel(name: str) -> None:
        if name != "c":
            raise SendensedError("it has ended" if name == "a" else "nothing is named 'b'")

    with pytest.raises(Partial, match="1 of 3 asked to stop"):
        several.each(["a", "b", "c"], cancel, "asked to stop")
    assert capsys.readouterr().err == "sendensed: a: it has ended\nsendensed: nothing is named 'b'\n"
