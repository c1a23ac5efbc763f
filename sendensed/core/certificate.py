"""Certificate: when a TLS certificate expires, read off its bytes.

    Certificate ─▶ tbsCertificate ─▶ [version] serial algorithm issuer validity ─▶ notBefore notAfter

The standard library reads this only of certificates that a peer has shown.
"""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta

WARN_AHEAD = timedelta(days=30)
"""How long before the end of a certificate the hub says so: time enough for whoever renews by hand."""

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18


def not_after(pem: bytes) -> datetime:
    """When the first certificate of a PEM file expires, UTC. Raises ValueError for what is no certificate."""
    found = _PEM.search(pem)
    if found is None:
        raise ValueError("it holds no certificate in PEM form")
    try:
        return _not_after(base64.b64decode(b"".join(found[1].split()), validate=True))
    except (binascii.Error, IndexError, UnicodeDecodeError):
        raise ValueError("its certificate cannot be read") from None


def warning(expires_at: datetime, now: datetime) -> str | None:
    """What there is to say of a certificate that is over, or soon will be; None where nothing is."""
    left = expires_at - now
    if left > WARN_AHEAD:
        return None
    day = f"{expires_at:%Y-%m-%d %H:%M} UTC"
    said = f"expires in {left.days} days, at {day}" if left > timedelta() else f"has expired at {day}"
    return f"the certificate {said}: renew it and send the hub SIGHUP"


def _not_after(data: bytes) -> datetime:
    _, certificate, _ = _element(data, 0)
    _, at, _ = _element(data, certificate)
    if data[at] == _VERSION:
        at = _element(data, at)[2]
    for _ in ("serial", "algorithm", "issuer"):
        at = _element(data, at)[2]
    _, validity, _ = _element(data, at)
    _, _, at = _element(data, validity)
    kind, start, end = _element(data, at)
    text = data[start:end].decode("ascii")
    if kind == _UTC_TIME:
        text = ("20" if text[:2] < "50" else "19") + text
    elif kind != _GENERALIZED_TIME:
        raise ValueError("its certificate has no end")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of the DER element at `at`. Raises IndexError outside the data."""
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    if start + length > len(data):
        raise IndexError(start + length)
    return tag, start, start + length
