"""Tls: real certificates by openssl: shaken hands with, warned of, taken up anew, refused with a sentence."""

import socket
import ssl
import struct
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
import trio
from structlog.testing import capture_logs

from sendensed import config
from sendensed.errors import ConfigError
from sendensed.net import ws
from sendensed.net.http import Upgrade
from sendensed.net.limits import Heartbeat
from sendensed.net.tls import Certificate, TlsListener
from tests.sendensed.net.rig import Handler, make_server
from tests.sendensed.net.test_sockets import ASK, frames_of, read_to_the_close
from tests.waits import PATIENCE


def made(folder, name: str, days: int) -> config.Tls:
    """A self-signed certificate for 127.0.0.1."""
    settings = config.Tls(str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", str(days)]
    words += ["-keyout", settings.key, "-out", settings.certificate]
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)
    return settings


async def spoken(port: int, trusted: str, **options) -> tuple[bytes, str]:
    """The answer to one request over TLS, and the version spoken."""
    context = ssl.create_default_context(cafile=trusted)
    for name, value in options.items():
        setattr(context, name, value)
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    secured = trio.SSLStream(stream, context, server_hostname="127.0.0.1", https_compatible=True)
    async with secured:
        await secured.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return await secured.receive_some(65536), secured.version()


async def test_a_hub_speaks_tls_and_takes_up_a_new_certificate_without_a_restart(tmp_path):
    settings = made(tmp_path, "hub", 90)
    held = Certificate(settings)
    now = datetime.now(UTC)
    assert timedelta(days=89) < held.expires_at - now < timedelta(days=91)
    assert held.warnings(now) == ()
    assert "expires in" in held.warnings(now + timedelta(days=65))[0]
    [plain] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = plain.socket.getsockname()[1]
    server = make_server(Handler())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, server.serve_connection, [TlsListener(plain, held)])
        with trio.fail_after(PATIENCE):
            answer, version = await spoken(port, settings.certificate)
            assert answer.startswith(b"HTTP/1.1 200")
            assert version == "TLSv1.3"
            _, version = await spoken(port, settings.certificate, maximum_version=ssl.TLSVersion.TLSv1_2)
            assert version == "TLSv1.2"
            old = tmp_path / "old.pem"
            old.write_bytes((tmp_path / "hub.pem").read_bytes())
            made(tmp_path, "hub", 30)
            held.reload()
            assert held.expires_at - now < timedelta(days=31)
            with pytest.raises(trio.BrokenResourceError):
                await spoken(port, str(old))
            assert (await spoken(port, settings.certificate))[0].startswith(b"HTTP/1.1 200")
        nursery.cancel_scope.cancel()


async def test_a_peer_that_speaks_no_tls_is_cut_off_and_hurts_nobody(tmp_path):
    settings = made(tmp_path, "hub", 90)
    [plain] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = plain.socket.getsockname()[1]
    server = make_server(Handler())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            trio.serve_listeners, server.serve_connection, [TlsListener(plain, Certificate(settings))]
        )
        with trio.fail_after(PATIENCE):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                while await stream.receive_some(4096):
                    pass
            assert (await spoken(port, settings.certificate))[0].startswith(b"HTTP/1.1 200")
        nursery.cancel_scope.cancel()


def test_a_certificate_that_cannot_be_used_is_said_and_one_in_use_stays(tmp_path):
    settings, other = made(tmp_path, "hub", 90), made(tmp_path, "other", 90)
    for certificate, key in (
        (settings.certificate, other.key),
        (settings.key, settings.key),
        ("none.pem", "none"),
    ):
        with pytest.raises(ConfigError, match="cannot be used"):
            Certificate(config.Tls(certificate, key))
    held = Certificate(settings)
    context = held.context
    (tmp_path / "hub.pem").write_text("torn")
    with capture_logs() as logs:
        held.reload()
    assert held.context is context
    assert logs[0]["log_level"] == "error"
    assert "cannot be used" in logs[0]["reason"]


async def test_a_viewer_over_tls_that_did_not_read_finds_whole_frames_and_then_1013(tmp_path):
    settings = made(tmp_path, "hub", 90)
    begun, told = 0, trio.Event()

    async def run(viewer):
        nonlocal begun
        try:
            while True:
                begun += 1
                await viewer.send(ws.text_frame(b"x" * 50_000))
        finally:
            told.set()

    async def handler(request):
        return Upgrade(run)

    def visit(port: int) -> socket.socket:
        context = ssl.create_default_context(cafile=settings.certificate)
        peer = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
        peer.sendall(ASK)
        return peer

    server = make_server(handler, heartbeat=Heartbeat(write=0.2, close=30))
    [plain] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        listener = TlsListener(plain, Certificate(settings))
        nursery.start_soon(trio.serve_listeners, server.serve_connection, [listener])
        with trio.fail_after(PATIENCE):
            with await trio.to_thread.run_sync(visit, plain.socket.getsockname()[1]) as peer:
                await told.wait()
                read = await trio.to_thread.run_sync(read_to_the_close, peer)
        *texts, (opcode, close) = frames_of(read)
        assert [len(payload) for _, payload in texts] == [50_000] * begun
        assert begun > 2
        assert (opcode, close[:2]) == (8, struct.pack("!H", 1013))
        nursery.cancel_scope.cancel()
