"""Http: answers as hubs and proxies write them, and the kept connection, before servers of the test's own."""

import io
import socket
import threading
from contextlib import contextmanager
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendensed.cli import http
from sendensed.cli.address import address_of, question, quote
from sendensed.cli.http import Answer, Connection
from sendensed.errors import ConfigError
from tests.waits import PATIENCE

HEAD = b"HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 02:14:07 GMT\r\n"


def read(content: bytes) -> tuple[Answer, bool]:
    return http.read_answer(io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "body", "kept"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\n{}more", b"{}", True),
        (HEAD + b"content-length: 2\r\nConnection: Close\r\n\r\n{}", b"{}", False),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n", b"{}", True),
        (HEAD + b"\r\n{}", b"{}", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}", False),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}", b"{}", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    ],
)
def test_an_answer_is_read_however_its_end_is_told(content: bytes, body: bytes, kept: bool):
    answer, may_go_on = read(content)
    assert (answer.body, may_go_on) == (body, kept)
    assert answer.status in (200, 204)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", EOFError),
        (b"SSH-2.0-OpenSSH\r\n", ValueError),
        (b"HTTP/1.1 OK\r\n\r\n", ValueError),
        (HEAD, ConnectionResetError),
        (HEAD + b"Content-Length: 3\r\n\r\n{}", ConnectionResetError),
        (HEAD + b"Content-Length: -1\r\n\r\n", ValueError),
        (HEAD + b"Content-Length: 999999999999\r\n\r\n", ValueError),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", ValueError),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", ConnectionResetError),
        (HEAD + b"X: y\r\n" * 101 + b"\r\n", ValueError),
    ],
)
def test_what_is_no_answer_is_an_error(content: bytes, error: type[Exception]):
    with pytest.raises(error):
        read(content)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://127.0.0.1:8082", ("127.0.0.1", 8082, "", False, "127.0.0.1:8082")),
        ("https://hub.example/", ("hub.example", 443, "", True, "hub.example")),
        ("http://[::1]:9/a/b/", ("::1", 9, "/a/b", False, "[::1]:9")),
        ("HTTP://Hub:/?a=/#b", ("hub", 80, "", False, "Hub:")),
        ("https://[::1]", ("::1", 443, "", True, "[::1]")),
    ],
)
def test_a_hubs_address_has_a_host_a_port_and_maybe_a_prefix(url: str, parts: tuple):
    assert tuple(address_of(url)) == parts


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hub:8082",
        "ftp://hub",
        "http://",
        "http://hub:99999",
        "http://hub:x",
        "http://a@hub",
        "http://a b",
        "http://h\u00fcb",
        "http://[::1",
        "http://[hub]",
        "http://::1",
        "http://:80",
        "http://hub:-1",
        "http://hub/\r\nX: y",
    ],
)
def test_what_is_no_address_of_a_hub_is_said(url: str):
    with pytest.raises(ConfigError, match="is no address of a hub: give one like http"):
        address_of(url)


@given(st.lists(st.tuples(st.text(), st.text())))
def test_names_and_questions_are_read_as_they_were_meant(pairs: list[tuple[str, str]]):
    assert parse_qsl(question(pairs), keep_blank_values=True, strict_parsing=bool(pairs)) == pairs
    for name, value in pairs:
        assert unquote(quote(value)) == value
        assert not set(quote(name)) & set("/?#&=+ ")


@contextmanager
def server(*connections: list[bytes]):
    """A server that gives each of its connections these answers, one a request, and then closes it."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answers in connections:
                peer, _ = listening.accept()
                with peer:
                    for answer in answers:
                        request = b""
                        while not request.endswith(b"\r\n\r\n"):
                            request += peer.recv(65536)
                        asked.append(request)
                        peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield address_of(f"http://127.0.0.1:{listening.getsockname()[1]}/prefix"), asked
        finally:
            thread.join()


GOOD = HEAD + b"Content-Length: 2\r\n\r\n{}"


def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_is_opened_again():
    with server([GOOD, GOOD], [GOOD]) as (address, asked), Connection(address, PATIENCE) as connection:
        for target in ("/one", "/two", "/three"):
            assert connection.ask("GET", target, "secret").body == b"{}"
    assert [request.split()[1] for request in asked] == [b"/prefix/one", b"/prefix/two", b"/prefix/three"]
    assert b"\r\nAuthorization: Bearer secret\r\n" in asked[0]
    assert b"\r\nHost: 127.0.0.1:" in asked[0]


def test_a_fresh_connection_that_is_closed_without_a_word_is_not_tried_twice():
    with (
        server([]) as (address, _),
        Connection(address, PATIENCE) as connection,
        pytest.raises(ConnectionResetError),
    ):
        connection.ask("POST", "/one")


def test_a_server_that_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = address_of(f"http://127.0.0.1:{listening.getsockname()[1]}")
        with Connection(address, 0.05) as connection, pytest.raises(TimeoutError):
            connection.ask("GET", "/")
