"""Parser: one request out of one, whatever the bytes and however they arrive."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendensed.net.http import Refused
from sendensed.net.limits import Limits
from sendensed.net.parser import Parser

LIMITS = Limits(head=300, fields=8, target=100, body=64)
HOST = b"Host: hub\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: hub\r\n\r\n"


def read(pieces, limits=LIMITS):
    """The requests in these bytes, and the status of the refusal that ended them (or None)."""
    parser = Parser(limits, lambda path: limits.body)
    requests = []
    try:
        for piece in pieces:
            parser.receive(piece)
            while (request := parser.next()) is not None:
                requests.append(request)
    except Refused as refused:
        assert refused.response.close
        parser.receive(NEXT)
        assert parser.next() is None
        return requests, refused.response.status
    return requests, None


def post(fields, body=b"", version=b"1.1"):
    return b"POST /a HTTP/" + version + b"\r\n" + HOST + fields + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
REFUSED = {
    "a length and a transfer coding": (400, post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n")),
    "a transfer coding and a length": (400, post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n")),
    "two equal lengths": (400, post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}")),
    "two lengths": (400, post(b"Content-Length: 2\r\nContent-Length: 0\r\n", b"{}")),
    "a list of lengths": (400, post(b"Content-Length: 2, 2\r\n", b"{}")),
    "a signed length": (400, post(b"Content-Length: +2\r\n", b"{}")),
    "a negative length": (400, post(b"Content-Length: -2\r\n", b"{}")),
    "a hexadecimal length": (400, post(b"Content-Length: 0x2\r\n", b"{}")),
    "an empty length": (400, post(b"Content-Length: \r\n", b"{}")),
    "a length over 64 bits": (400, post(b"Content-Length: 18446744073709551618\r\n", b"{}")),
    "a length with a space in it": (400, post(b"Content-Length: 1 2\r\n", b"{}")),
    "a bare LF after the request line": (400, b"GET /a HTTP/1.1\n" + HOST + b"\r\n"),
    "a bare LF after a field": (400, b"GET /a HTTP/1.1\r\nHost: hub\n\r\n"),
    "a bare LF at the end of the head": (400, b"GET /a HTTP/1.1\r\n" + HOST + b"\n"),
    "bare LFs alone": (400, b"GET /a HTTP/1.1\nHost: hub\n\n"),
    "a bare CR in a field": (400, b"GET /a HTTP/1.1\r\nHost: hub\rX: y\r\n\r\n"),
    "a folded field": (400, b"GET /a HTTP/1.1\r\nHost: hub\r\n more\r\n\r\n"),
    "a field folded by a tab": (400, b"GET /a HTTP/1.1\r\nHost: hub\r\n\tmore\r\n\r\n"),
    "a space before the first field": (400, b"GET /a HTTP/1.1\r\n Host: hub\r\n\r\n"),
    "a space before a colon": (400, post(b"Content-Length : 2\r\n", b"{}")),
    "a tab before a colon": (400, post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n")),
    "a field without a colon": (400, b"GET /a HTTP/1.1\r\nHost: hub\r\nX\r\n\r\n"),
    "a field without a name": (400, b"GET /a HTTP/1.1\r\nHost: hub\r\n: x\r\n\r\n"),
    "a field name that is no token": (400, b"GET /a HTTP/1.1\r\nHost: hub\r\nX(y): x\r\n\r\n"),
    "a NUL in a field": (400, b"GET /a HTTP/1.1\r\nHost: hub\r\nX: a\x00b\r\n\r\n"),
    "a control character in a field": (400, b"GET /a HTTP/1.1\r\nHost: hub\r\nX: a\x01b\r\n\r\n"),
    "no Host": (400, b"GET /a HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, b"GET /a HTTP/1.1\r\nHost: hub\r\nHost: hub\r\n\r\n"),
    "two Hosts of different case": (400, b"GET /a HTTP/1.1\r\nHost: hub\r\nhOST: other\r\n\r\n"),
    "two Hosts in HTTP/1.0": (400, b"GET /a HTTP/1.0\r\nHost: hub\r\nHost: hub\r\n\r\n"),
    "a Host with a path": (400, b"GET /a HTTP/1.1\r\nHost: hub/x\r\n\r\n"),
    "a Host with a user": (400, b"GET /a HTTP/1.1\r\nHost: me@hub\r\n\r\n"),
    "a chunked coding behind another": (400, post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    "a coding of a similar name": (400, post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    "a coding twice": (400, post(CHUNKED + CHUNKED, b"0\r\n\r\n")),
    "a coding in quotes": (400, post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n")),
    "a coding behind a control character": (400, post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n")),
    "the coding identity": (400, post(b"Transfer-Encoding: identity\r\n", b"{}")),
    "an empty coding": (400, post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n")),
    "a chunked HTTP/1.0": (400, post(CHUNKED, b"0\r\n\r\n", b"1.0")),
    "a chunk size with a prefix": (400, post(CHUNKED, b"0x2\r\n{}\r\n0\r\n\r\n")),
    "a signed chunk size": (400, post(CHUNKED, b"+2\r\n{}\r\n0\r\n\r\n")),
    "a negative chunk size": (400, post(CHUNKED, b"-2\r\n{}\r\n0\r\n\r\n")),
    "a space before a chunk size": (400, post(CHUNKED, b" 2\r\n{}\r\n0\r\n\r\n")),
    "a space after a chunk size": (400, post(CHUNKED, b"2 \r\n{}\r\n0\r\n\r\n")),
    "no chunk size": (400, post(CHUNKED, b"\r\n{}\r\n0\r\n\r\n")),
    "a bare LF after a chunk size": (400, post(CHUNKED, b"2\n{}\r\n0\r\n\r\n")),
    "a bare LF after a chunk": (400, post(CHUNKED, b"2\r\n{}\n0\r\n\r\n")),
    "a chunk longer than its size": (400, post(CHUNKED, b"2\r\n{}}\r\n0\r\n\r\n")),
    "a chunk shorter than its size": (400, post(CHUNKED, b"4\r\n{}\r\n0\r\n\r\n")),
    "a chunk size over 64 bits": (400, post(CHUNKED, b"10000000000000002\r\n{}\r\n0\r\n\r\n")),
    "a bare LF at the end of the chunks": (400, post(CHUNKED, b"0\r\n\n")),
    "HTTP/2's preface": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/2.0": (400, b"GET /a HTTP/2.0\r\n" + HOST + b"\r\n"),
    "HTTP/1.2": (400, b"GET /a HTTP/1.2\r\n" + HOST + b"\r\n"),
    "HTTP/0.9 by name": (400, b"GET /a HTTP/0.9\r\n" + HOST + b"\r\n"),
    "a version of two digits": (400, b"GET /a HTTP/1.10\r\n" + HOST + b"\r\n"),
    "a version in small letters": (400, b"GET /a http/1.1\r\n" + HOST + b"\r\n"),
    "a space after the version": (400, b"GET /a HTTP/1.1 \r\n" + HOST + b"\r\n"),
    "a space in the target": (400, b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a NUL in the target": (400, b"GET /a\x00 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "raw UTF-8 in the target": (400, "GET /ä HTTP/1.1\r\nHost: hub\r\n\r\n".encode()),
    "a fragment in the target": (400, b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a target that is no path": (400, b"GET * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a target of another scheme": (400, b"GET ftp://hub/a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a method in small letters": (400, b"get /a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a method nobody knows": (400, b"SMUGGLE /a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a TLS handshake": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "another protocol's request": (405, b"OPTIONS /a RTSP/1.0\r\n" + HOST + b"\r\n"),
    "CONNECT": (405, b"CONNECT hub:80 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "TRACE": (405, b"TRACE /a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a compressed body": (415, post(b"Content-Length: 2\r\nContent-Encoding: gzip\r\n", b"{}")),
    "a body compressed twice": (415, post(b"Content-Length: 2\r\nContent-Encoding: identity, br\r\n", b"{}")),
    "a form": (415, post(b"Content-Length: 2\r\nContent-Type: application/x-www-form-urlencoded\r\n", b"{}")),
    "plain text": (415, post(b"Content-Length: 2\r\nContent-Type: text/plain\r\n", b"{}")),
    "two media types": (
        415,
        post(b"Content-Length: 2\r\nContent-Type: application/json\r\nContent-Type: text/xml\r\n", b"{}"),
    ),
    "an unknown expectation": (417, post(b"Content-Length: 2\r\nExpect: 200-ok\r\n", b"{}")),
    "a body over the limit": (413, post(b"Content-Length: 65\r\n", b"[")),
    "chunks over the limit": (413, post(CHUNKED, b"41\r\n" + b" " * 65 + b"\r\n0\r\n\r\n")),
    "endless chunk extensions": (413, post(CHUNKED, b"1;" + b"x" * 900 + b"\r\n{\r\n0\r\n\r\n")),
    "too many trailers": (431, post(CHUNKED, b"0\r\n" + b"T: x\r\n" * 9 + b"\r\n")),
    "a target over the limit": (414, b"GET /" + b"a" * 100 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "too many fields": (431, b"GET /a HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 8 + b"\r\n"),
    "a long field": (431, b"GET /a HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 300 + b"\r\n\r\n"),
    "a field of spaces": (431, b"GET /a HTTP/1.1\r\n" + HOST + b"X:" + b" " * 300 + b"y\r\n\r\n"),
    "endless empty lines": (431, b"\r\n" * 150),
}


def slicings(data):
    """Whole, byte by byte, and in two at every place."""
    yield [data]
    yield [data[n : n + 1] for n in range(len(data))]
    for n in range(1, len(data)):
        yield [data[:n], data[n:]]


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_hide_a_second_request_is_refused_and_nothing_after_it_is_read(name):
    status, data = REFUSED[name]
    for pieces in slicings(data):
        assert read([*pieces[:-1], pieces[-1] + NEXT]) == ([], status), pieces


ACCEPTED = {
    "no body": (b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"\r\n", b""),
    "empty lines before it": (b"\r\n\r\nGET /a?b=c HTTP/1.1\r\n" + HOST + b"\r\n", b""),
    "an absolute target": (b"GET http://hub/a?b=c HTTP/1.1\r\nHost: other\r\n\r\n", b""),
    "a length": (b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}", b"{}"),
    "a length of zero": (b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n", b""),
    "a body that looks like a request": (
        b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT,
        NEXT,
    ),
    "chunks": (b"GET /a?b=c HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", b"{}"),
    "a chunk that looks like the end": (
        b"GET /a?b=c HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n9\r\n\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
        b"\r\n\r\n0\r\n\r\n",
    ),
    "chunks with trailers": (
        b"GET /a?b=c HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n2;x=y\r\n{}\r\n0\r\nHost: trailer\r\n\r\n",
        b"{}",
    ),
    "an offer of HTTP/2": (
        b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"",
    ),
    "an offer of HTTP/2 with a body": (
        b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
        b"{}",
    ),
    "an offer of HTTP/2 with chunks": (
        b"GET /a?b=c HTTP/1.1\r\n"
        + HOST
        + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
        + CHUNKED
        + b"\r\n2\r\n{}\r\n0\r\nA: b\r\n\r\n",
        b"{}",
    ),
    "an offer of websocket with a body": (
        b"GET /a?b=c HTTP/1.1\r\n"
        + HOST
        + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}",
        b"{}",
    ),
    "an encoding that is none": (
        b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"Content-Encoding: Identity\r\nContent-Length: 2\r\n\r\n{}",
        b"{}",
    ),
    "JSON with a charset": (
        b"GET /a?b=c HTTP/1.1\r\n"
        + HOST
        + b"Content-Type: Application/JSON; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}",
        b"{}",
    ),
    "a kind of JSON": (
        b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"Content-Type: application/x+json\r\nContent-Length: 2\r\n\r\n{}",
        b"{}",
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_request_is_read_alike_however_its_bytes_arrive_and_so_is_the_next(name):
    data, body = ACCEPTED[name]
    for pieces in slicings(data + data):
        requests, refused = read(pieces)
        assert refused is None
        assert [(r.method, r.path, r.query, r.body, r.headers["host"]) for r in requests] == [
            ("GET", "/a", "b=c", body, "hub")
        ] * 2


@pytest.mark.parametrize(
    "data",
    [
        b"GET /a HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n",
        b"GET /a HTTP/1.0\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
def test_nothing_after_a_last_request_is_read(data):
    for pieces in slicings(data + NEXT):
        requests, refused = read(pieces)
        assert [request.path for request in requests] == ["/a"]
        assert refused is None


def test_a_body_that_equals_an_earlier_request_is_a_body_however_it_arrives():
    earlier = b"GET /a HTTP/1.1\r\nHost: hub\r\n\r\n"
    data = earlier + post(b"Content-Length: %d\r\n" % len(earlier), earlier) + earlier
    for pieces in slicings(data):
        requests, refused = read(pieces)
        assert refused is None
        assert [(request.method, request.body) for request in requests] == [
            ("GET", b""),
            ("POST", earlier),
            ("GET", b""),
        ]


def test_empty_lines_are_no_request_even_if_one_came_after_them():
    requests, _ = read([b"\r\n\r\n" + NEXT + b"\r\n\r\n\r\n\r\n", NEXT])
    assert len(requests) == 2


def test_requests_of_the_same_head_have_fields_and_bodies_of_their_own():
    requests, _ = read([post(b"Content-Length: 2\r\n", body) for body in (b"{}", b"[]", b"10")])
    assert [request.body for request in requests] == [b"{}", b"[]", b"10"]
    requests[1].headers["host"] = "changed"
    assert [request.headers["host"] for request in requests] == ["hub", "changed", "hub"]


def test_a_connection_remembers_few_heads_and_no_long_ones():
    heads = [b"GET /%d HTTP/1.1\r\nHost: hub\r\nX: %b\r\n\r\n" % (n, b"x" * 20 * (n % 100)) for n in range(200)]
    requests, refused = read([b"".join(heads * 2)], Limits())
    assert refused is None
    assert [request.path for request in requests] == [f"/{n}" for n in range(200)] * 2


def test_repeated_fields_are_joined_and_white_space_around_values_is_dropped():
    data = b"GET /a HTTP/1.1\r\nHost:hub\r\nX-A: \t1 \t\r\nx-a: 2\r\nEmpty:\r\n\r\n"
    [request], _ = read([data])
    assert request.headers == {"host": "hub", "x-a": "1, 2", "empty": ""}


def test_http_1_0_stays_open_only_when_asked():
    [request], _ = read([b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"])
    assert request.version == "1.0"
    assert request.keep_alive
    [request], _ = read([b"GET /a HTTP/1.0\r\nHost: hub\r\n\r\n"])
    assert not request.keep_alive


@pytest.mark.parametrize("size", [299, 300, 301])
def test_the_limit_of_a_head_is_exact_to_the_byte_in_every_slicing(size):
    data = b"GET /a HTTP/1.1\r\nHost: hub\r\nX: "
    data += b"y" * (size - len(data) - 4) + b"\r\n\r\n"
    for pieces in slicings(data):
        requests, refused = read(pieces)
        assert (len(requests), refused) == ((1, None) if size <= 300 else (0, 431))


@pytest.mark.parametrize("size", [64, 65])
def test_the_limit_of_a_body_is_exact_with_a_length_and_with_chunks(size):
    plain = post(b"Content-Length: %d\r\n" % size, b" " * size)
    chunks = post(CHUNKED, b"1\r\n \r\n" * size + b"0\r\n\r\n")
    for data in (plain, chunks):
        for pieces in slicings(data):
            requests, refused = read(pieces)
            assert (len(requests), refused) == ((1, None) if size <= 64 else (0, 413))


def test_each_path_may_have_a_body_limit_of_its_own():
    parser = Parser(LIMITS, lambda path: 100 if path == "/big" else 10)
    parser.receive(b"POST /big HTTP/1.1\r\nHost: hub\r\nContent-Length: 50\r\n\r\n" + b" " * 50)
    assert parser.next() is not None
    parser.receive(b"POST /small HTTP/1.1\r\nHost: hub\r\nContent-Length: 50\r\n\r\n" + b" " * 50)
    with pytest.raises(Refused):
        parser.next()


words = st.sampled_from(
    [
        *(data for _, data in REFUSED.values() if len(data) < 200),
        *(data for data, _ in ACCEPTED.values()),
        b"GET /b HTTP/1.1\r\n",
        b"POST /c HTTP/1.0\r\n",
        HOST,
        CHUNKED,
        b"Content-Length: 3\r\n",
        b"Connection: keep-alive\r\n",
        b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
        b"Expect: 100-continue\r\n",
        b"\r\n",
        b"\n",
        b"3\r\n{ }\r\n",
        b"0\r\n",
        b"{ }",
        b" ",
    ]
)
streams = st.one_of(
    st.binary(max_size=400), st.lists(st.one_of(words, st.binary(max_size=4)), max_size=8).map(b"".join)
)


@settings(max_examples=300, deadline=None)
@given(data=streams, cuts=st.lists(st.integers(0, 600), max_size=12))
@example(data=ACCEPTED["chunks"][0] * 2, cuts=[5, 6, 7])
def test_any_bytes_in_any_slicing_give_the_same_requests_and_the_same_refusal(data, cuts):
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(places)]
    assert read(pieces) == read([data])


@settings(max_examples=300, deadline=None)
@given(bodies=st.lists(st.binary(max_size=60), min_size=1, max_size=4), chunked=st.booleans())
def test_as_many_requests_come_out_as_went_in_whatever_their_bodies_hold(bodies, chunked):
    data = b""
    for body in bodies:
        if chunked:
            end = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            data += post(CHUNKED, end + b"0\r\n\r\n")
        else:
            data += post(b"Content-Length: %d\r\n" % len(body), body)
    requests, refused = read([data])
    assert refused is None
    assert [request.body for request in requests] == bodies
