"""Rate: what people write is a number of bytes per second, or nothing."""

import pytest

from clientd.core import rate


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1", 1),
        ("800K", 800 * 2**10),
        ("50m", 50 * 2**20),
        ("2G", 2**31),
        ("1T", 2**40),
        (str(2**60 - 1), 2**60 - 1),
    ],
)
def test_a_rate_is_bytes_with_a_binary_suffix(text, found):
    assert rate.parse(text) == found


@pytest.mark.parametrize(
    "text", ["", "0", "-5", "K", "5KB", "1.5M", "²", "5 M", "9999999T", str(2**60), "1" * 5000]
)
def test_nothing_else_is_a_rate(text):
    assert rate.parse(text) is None
