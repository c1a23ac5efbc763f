"""Supervisor: systemd hears what it is told, over a real socket, and nobody waits for it."""

import os
import socket

import pytest

from clientd.supervisor import Supervisor


@pytest.fixture
def listening(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.setblocking(False)
        yield supervisor, str(tmp_path / "notify")


def test_words_arrive_in_one_datagram(listening):
    supervisor, path = listening
    Supervisor({"NOTIFY_SOCKET": path}).tell("WATCHDOG=1", "STATUS=2 running")
    assert supervisor.recv(100) == b"WATCHDOG=1\nSTATUS=2 running"


def test_an_abstract_socket_is_understood():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        name = f"clientd-test-{os.getpid()}"
        supervisor.bind("\0" + name)
        Supervisor({"NOTIFY_SOCKET": "@" + name}).tell("READY=1")
        assert supervisor.recv(100) == b"READY=1"


def test_without_a_supervisor_nobody_is_told(said):
    Supervisor({}).tell("READY=1")
    assert said == []


def test_a_supervisor_that_is_gone_is_logged_and_no_more(tmp_path, said):
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "none")}).tell("READY=1")
    assert [(line["event"], line["words"]) for line in said] == [("supervisor not told", "READY=1")]


def test_a_supervisor_that_reads_nothing_holds_nobody_up(listening, said):
    supervisor = Supervisor({"NOTIFY_SOCKET": listening[1]})
    for _ in range(5000):
        supervisor.tell("WATCHDOG=1")
    assert "EAGAIN" in said[-1]["error"]


@pytest.mark.parametrize(
    ("given", "period"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
    ],
)
def test_signs_of_life_are_due_thrice_in_the_watchdog_s_period(given, period):
    assert Supervisor(given).period == period
