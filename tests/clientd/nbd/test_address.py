"""Address: NBD URIs are read as the NBD project writes them; what we do not do is refused with a sentence."""

import pytest

from clientd.disk.nbd.address import Address, Tls, parse
from clientd.errors import UsageError


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("nbd://hub", Address("", host="hub")),
        ("NBD://hub:10810/a%20b/c", Address("a b/c", host="hub", port=10810)),
        ("nbd://[::1]:5/x", Address("x", host="::1", port=5)),
        ("nbd+unix:///x?socket=/run/a%20b", Address("x", socket="/run/a b")),
        ("nbds://hub/x", Address("x", host="hub", tls=Tls("hub"))),
        (
            "nbds+unix:///?socket=/s&tls-certificates=/pki&tls-hostname=h",
            Address("", socket="/s", tls=Tls("h", "/pki")),
        ),
    ],
)
def test_an_address_is_what_its_uri_says(uri, wanted):
    assert parse(uri) == wanted


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("nbd:///x", "names no host"),
        ("nbd://hub:0/x", "has no possible port"),
        ("nbd://hub:99999/x", "has no possible port"),
        ("nbd+unix:///x", "names no socket"),
        ("nbd+unix:///x?socket=/" + "a" * 200, "names a socket path of over 107 bytes"),
        ("nbd://hub/x?socket=/s", "names a socket: write nbd"),
        ("nbds://user@hub/x", "asks for a pre-shared key"),
        ("nbds://hub/x?tls-psk-file=/k", "asks for a pre-shared key"),
        ("nbd://hub/x?password=hunter2", "has an unknown parameter 'password'"),
        ("nbd://hub/" + "e" * 5000, "names no possible export"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_no_secret_is_repeated(uri, sentence):
    with pytest.raises(UsageError) as caught:
        parse(uri)
    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("nbd://[::1]:5/x", "nbd://[::1]:5/x"),
        ("nbds://hub/x?tls-certificates=/pki", "nbds://hub/x"),
        ("nbd+unix:///x?socket=/s", "nbd+unix:///x?socket=/s"),
    ],
)
def test_a_name_for_people_leaves_out_all_but_the_place(uri, name):
    assert parse(uri).name == name
