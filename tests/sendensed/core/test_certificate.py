"""Certificate: its end is read off real ones, and what is none is said to be none."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendensed.core import certificate

NIGHT = datetime(2026, 11, 23, 2, tzinfo=UTC)


def element(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes(2, "big")
    return bytes((tag, 0x82)) + size + content


def der(end: bytes, *, version: bool = True, issuer: bytes = b"x" * 300) -> bytes:
    validity = element(0x30, element(0x17, b"200101000000Z"), end)
    parts = [element(0x02, b"\x01"), element(0x30), element(0x30, issuer), validity, element(0x30)]
    if version:
        parts.insert(0, element(0xA0, element(0x02, b"\x02")))
    return element(0x30, element(0x30, *parts), element(0x30), element(0x03, b"\0"))


def pem(data: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(data) + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (element(0x17, b"261205103000Z"), datetime(2026, 12, 5, 10, 30, tzinfo=UTC)),
        (element(0x17, b"991231235959Z"), datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (element(0x18, b"20510101000000Z"), datetime(2051, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_end_is_read_whatever_way_it_is_written(version, end, expected):
    assert certificate.not_after(b"text before\n" + pem(der(end, version=version)) + pem(b"chain")) == expected


@pytest.mark.parametrize("data", [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_a_certificate_is_said_to_be_one(data):
    with pytest.raises(ValueError, match="holds no certificate"):
        certificate.not_after(data)


@pytest.mark.parametrize("end", [element(0x04, b"261205103000Z"), element(0x17, b"26"), element(0x17, b"\xff")])
def test_an_end_that_is_none_is_refused(end):
    with pytest.raises(ValueError, match=r"certificate|time data"):
        certificate.not_after(pem(der(end)))


def test_what_is_not_base64_is_refused():
    with pytest.raises(ValueError, match="cannot be read"):
        certificate.not_after(b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n")


@given(cut=st.integers(0, 380), junk=st.binary(max_size=40))
def test_any_torn_certificate_is_refused_or_read_and_never_crashes(cut, junk):
    data = der(element(0x17, b"261205103000Z"))
    try:
        certificate.not_after(pem(data[:cut] + junk))
    except ValueError:
        return


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=30, seconds=1), None),
        (timedelta(days=12), "expires in 12 days, at 2026-12-05 02:00 UTC"),
        (timedelta(hours=1), "expires in 0 days"),
        (timedelta(), "has expired at 2026-11-23 02:00 UTC"),
    ],
)
def test_thirty_days_ahead_it_is_said_what_to_do(left, words):
    said = certificate.warning(NIGHT + left, NIGHT)
    assert (said is None) == (words is None)
    if words:
        assert words in said
        assert "SIGHUP" in said
