"""Resolve: a resolver that hangs holds up nobody beyond the deadline, and holds one thread however often asked."""

import socket
import threading

import pytest

from clientd.config import NbdSettings
from clientd.disk.nbd import resolve
from clientd.disk.opening import SystemDisks
from clientd.errors import DiskError
from tests.clientd import servers
from tests.clientd.copies import MIB, Copy

SENTENCE = r"the name '{}' is not resolved within {} s: does the name server answer\?"
GIVES_UP = 60.0
"""Seconds until the resolver answers after all: whoever waited for it gets no error, and fails the test."""


class Resolver:
    """The system's, until `hangs` is set; then it says nothing until `answers` is."""

    def __init__(self) -> None:
        self.asked = 0
        self.hangs = threading.Event()
        self.answers = threading.Event()
        self._real = socket.getaddrinfo

    def __call__(self, host, port, *arguments, **named):
        self.asked += 1
        if self.hangs.is_set():
            self.answers.wait(GIVES_UP)
        return self._real("localhost", port, *arguments, **named)


@pytest.fixture
def resolver(monkeypatch):
    resolver = Resolver()
    monkeypatch.setattr(resolve.socket, "getaddrinfo", resolver)
    yield resolver
    resolver.answers.set()


def test_a_resolver_that_hangs_fails_the_job_at_the_deadline_of_connecting_in_a_sentence(resolver, tmp_path):
    resolver.hangs.set()
    with servers.nbdkit_tcp("-r", "memory", "1M") as uri:
        named = uri.replace("127.0.0.1", "backup.example")
        copy = Copy(named, str(tmp_path / "target"), nbd={"connect_patience": 0.3}).go()
    assert copy.job.status == "failed"
    assert f"opening {named} failed: the name 'backup.example' is not resolved within 0.3 s" in copy.job.error


def test_a_resolver_that_hangs_when_a_lost_connection_is_made_anew_ends_at_the_deadline_too(resolver):
    with servers.nbdkit_tcp("-r", "memory", "1M") as uri:
        disk = SystemDisks(NbdSettings(connect_patience=3)).source(uri.replace("127.0.0.1", "recon.example"))
        lane = disk.lane()
    resolver.hangs.set()
    with pytest.raises(DiskError) as lost:
        lane.read(0, memoryview(bytearray(512))).wait()
    assert lost.value.passing
    with pytest.raises(
        DiskError, match="connecting to .* failed: " + SENTENCE.format("recon.example", 3)
    ) as caught:
        lane.restore()
    assert caught.value.passing
    lane.close()
    disk.close()


def test_a_lookup_that_hangs_is_shared_and_the_next_after_its_answer_is_a_new_one(resolver):
    resolver.hangs.set()
    for _ in range(3):
        with pytest.raises(resolve.Unresolved, match=SENTENCE.format("shared.example", r"0\.3")):
            resolve.resolve("shared.example", 1, 0.3)
    assert resolver.asked == 1
    resolver.hangs.clear()
    resolver.answers.set()
    found = resolve.resolve("shared.example", 1, GIVES_UP)
    assert {place[1] for *_, place in found} == {1}
    resolve.resolve("shared.example", 1, GIVES_UP)
    assert resolver.asked > 1


def test_a_name_that_nobody_knows_is_said_at_once(monkeypatch):
    def unknown(*arguments, **named):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(resolve.socket, "getaddrinfo", unknown)
    with pytest.raises(DiskError, match=r"opening nbd://no\.example/ failed: Name or service not known"):
        SystemDisks(NbdSettings()).source("nbd://no.example/")


def test_the_second_address_of_a_name_serves_where_the_first_does_not(monkeypatch):
    with servers.nbdkit_tcp("-r", "memory", "1M") as uri:
        port = int(uri.rstrip("/").rpartition(":")[2])
        both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(resolve.socket, "getaddrinfo", lambda *arguments, **named: both)
        disk = SystemDisks(NbdSettings()).source(f"nbd://two.example:{port}/")
        assert disk.size == MIB
        disk.close()
