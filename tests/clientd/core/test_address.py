"""Address: NBD URIs are read as the NBD project writes them; what we do not do is refused with a sentence."""

import pytest

from clientd.core.address import Address, Impossible, Tls, find, is_uri, parse


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("nbd://hub", Address("", host="hub")),
        ("NBD://hub:10810/a%20b/c", Address("a b/c", host="hub", port=10810)),
        ("nbd://[::1]:5/x", Address("x", host="::1", port=5)),
        ("nbd+unix:///x?socket=/run/a%20b", Address("x", socket="/run/a b")),
        ("nbd+unix:///x?socket=/run/a+b%ff", Address("x", socket="/run/a+b\udcff")),
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
        ("nbds://user:hunter2@hub/x", "the NBD address 'nbds://hub/x' asks for a pre-shared key"),
        ("nbd://hub/x?password=hunter2", "has an unknown parameter 'password'"),
        ("nbd://", "names no host: write nbd://HOST/EXPORT"),
        ("nbd://[::1/x", "names no host"),
        ("nbd://a..b/x", "names no possible host"),
        ("nbd://" + "h" * 64 + "/x", "names no possible host"),
        ("nbd://./x", "names no possible host"),
        ("nbd://a b/x", "names no possible host"),
        ("nbd://hub:x/x", "has no possible port"),
        ("nbd://hub/%ff", "names no possible export: give one in UTF-8"),
        ("nbd://hub/\udcff", "names no possible export: give one in UTF-8"),
        ("nbd://hub/" + "%C3%A9" * 2049, "names no possible export: give one of at most 4096 bytes"),
        ("nbd://hub/a%00", "names no possible export"),
        ("nbd://hub/a#b", "has a '#': write %23"),
        ("nbd://hub/a\nb", "has a control character"),
        ("nbd+unix://x?socket=/s", "names a host beside a socket"),
        ("nbd+unix:///x?socket=/s%00", "names a socket path"),
        ("nbd+unix:///x?socket=/s&socket=/t", "has a parameter twice"),
        ("nbd://hub/x?tls-certificates=/pki", "without asking for it: write nbds instead of nbd"),
        ("nbd://hub/" + "e" * 5000, "names no possible export"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_no_secret_is_repeated(uri, sentence):
    with pytest.raises(Impossible) as caught:
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


@pytest.mark.parametrize("name", ["nbd://h/x", "nbds://h", "nbd+unix:///?socket=/s", "NBDS+unix:///x?socket=s"])
def test_an_nbd_uri_is_found_in_a_disk_s_name(name):
    assert is_uri(name)
    assert find(name) == parse(name)


@pytest.mark.parametrize("name", ["", "nbd:/x", "./nbd://x", "/nbd://x", "a/b://c", "9p://x"])
def test_everything_else_is_a_path(name):
    assert not is_uri(name)
    assert find(name) is None


@pytest.mark.parametrize("name", ["http://h/x?token=hunter2", "nbd+tcp://h/x", "NBDX://h"])
def test_a_foreign_uri_is_no_path_by_mistake(name):
    assert not is_uri(name)
    with pytest.raises(
        Impossible, match=r"which is none of nbd://, .*: write one of these, or \./ before"
    ) as caught:
        find(name)
    assert "hunter2" not in str(caught.value)
