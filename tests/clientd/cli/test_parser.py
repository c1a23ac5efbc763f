"""Parser: every word of the command line is understood, or refused in a sentence."""

import pytest

from clientd.cli.parser import parser
from clientd.errors import UsageError


@pytest.mark.parametrize(("text", "rate"), [("1", 1), ("800K", 800 * 2**10), ("50m", 50 * 2**20), ("2G", 2**31)])
def test_rates_have_binary_suffixes(text, rate):
    parsed = parser().parse_args(["run", "--max-rate", text])
    assert parsed.max_rate == rate


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-rate", "0"],
        ["--max-rate", "-5"],
        ["--max-rate", "fast"],
        ["--max-rate", "K"],
        ["--max-rate", "²"],
        ["--max-rate", "9999999T"],
        ["--workers", "0"],
        ["--workers", "65"],
        ["--attempt", "x"],
        ["--attempt", "9999999999"],
        ["--final-wait", "nan"],
        ["--final-wait", "-1"],
        ["--final-wait", "soon"],
        ["--log-format", "xml"],
        ["--unknown"],
        ["job.toml", "stray"],
    ],
)
def test_what_is_not_understood_is_a_usage_error(arguments):
    with pytest.raises(UsageError, match=r"see 'clientd run --help'"):
        parser().parse_args(["run", *arguments])
