"""Faults: servers that fail, hang, die and come back. No copy is completed whose target differs."""

import contextlib
import errno
import os
import socket
import threading

import pytest
import trio
import trio.lowlevel

from clientd.config import NbdSettings
from clientd.disk.opening import SystemDisks
from clientd.errors import DiskError
from tests.clientd import servers
from tests.clientd.copies import MIB, Copy
from tests.faults import disks
from tests.ports import free_port
from tests.waits import PATIENCE

NOISE = os.urandom(16 * MIB)
SIZE = len(NOISE)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(NOISE)
    return path


def failing(image, *options: str):
    return servers.nbdkit("-r", "--filter=error", "file", str(image), *options)


def test_reads_that_fail_now_and_then_are_tried_again(image, tmp_path):
    target = tmp_path / "target"
    with failing(image, "error-pread=EIO", "error-pread-rate=10%") as source:
        copy = Copy(source, str(target), copy={"pauses": (0.05,) * 9}).go()  # chance never fails one so often
    assert copy.job.status == "completed", copy.job.error
    assert target.read_bytes() == NOISE


def test_a_server_that_tries_again_itself_is_given_the_time(tmp_path):
    image, target, log = tmp_path / "source", tmp_path / "target", tmp_path / "log"
    image.write_bytes(NOISE[: 4 * MIB])
    filters = ["--filter=retry", "--filter=log", "--filter=error"]
    options = ["error-pread=EIO", "error-pread-rate=50%", "retries=20", "retry-delay=1", "retry-exponential=no"]
    with servers.nbdkit("-r", *filters, "file", str(image), f"logfile={log}", *options) as source:
        copy = Copy(source, str(target), copy={"workers": 8, "pauses": ()}).go()
    assert copy.job.status == "completed", copy.job.error
    assert target.read_bytes() == image.read_bytes()
    assert " return=-1 " in log.read_text()


@pytest.mark.parametrize(("number", "tries"), [("EIO", 4), ("EPERM", 1)])
def test_a_place_that_cannot_be_read_fails_the_job_with_disk_offset_and_cause(image, tmp_path, number, tries):
    counts = tmp_path / "log"
    options = [f"error-pread={number}", "error-pread-rate=100%", f"logfile={counts}"]
    command = ["-r", "--filter=log", "--filter=error", "file", str(image), *options]
    with servers.nbdkit(*command) as source:
        copy = Copy(source, str(tmp_path / "target"), copy={"workers": 1}).go()
    assert copy.job.status == "failed"
    assert copy.job.error.startswith(f"disk 0: reading {source} at offset 0 failed: {number}")
    assert copy.hub.told[-1].disks[0].status == "failed"
    asked = [line for line in counts.read_text().splitlines() if "offset=0x0 count=0x40000 " in line]
    assert len(asked) == tries


def test_a_target_that_is_full_never_ends_as_completed(image):
    options = ["error-pwrite=ENOSPC", "error-pwrite-rate=5%"]
    with servers.nbdkit("--filter=error", "memory", str(SIZE), *options) as target:
        copy = Copy(str(image), target, copy={"chunk": 65536}).go()
    assert copy.job.status == "failed"
    assert f"writing {target} at offset " in copy.job.error
    assert "ENOSPC" in copy.job.error


def test_a_target_that_is_too_small_or_read_only_is_refused_and_named(image):
    with servers.nbdkit("memory", str(SIZE - 512)) as target:
        copy = Copy(str(image), target).go()
    assert f"it has {SIZE - 512} bytes, {SIZE} are needed" in copy.job.error
    with servers.nbdkit("-r", "memory", str(SIZE)) as target:
        copy = Copy(str(image), target).go()
    assert f"opening {target} failed: the server exports it read-only" in copy.job.error


async def test_a_source_that_dies_and_comes_back_is_read_on(image, tmp_path):
    with servers.folder() as place:
        where, target = place / "s", tmp_path / "target"
        command = ["nbdkit", "-f", "-U", str(where), "-r", "file", str(image)]
        copy = Copy(
            f"nbd+unix:///?socket={where}", str(target), max_rate=16 * MIB, copy={"pauses": (0.2, 1, 4, 30)}
        )
        async with trio.open_nursery() as nursery:
            with servers.running(command, where):
                nursery.start_soon(copy.run)
                await trio.lowlevel.checkpoint()
                await copy.until_copied(2 * MIB)
            where.unlink()
            again = servers.running(command, where)
            await trio.to_thread.run_sync(again.__enter__)
            await copy.hub.wait_until(lambda hub: hub.told and hub.told[-1].status != "running")
            again.__exit__(None, None, None)
    assert copy.job.status == "completed", copy.job.error
    assert target.read_bytes() == NOISE


def test_a_source_that_does_not_come_back_fails_the_job(image, tmp_path):
    with servers.folder() as place:
        where = place / "s"
        command = ["nbdkit", "-f", "-U", str(where), "-r", "--filter=rate", "file", str(image), "rate=20M"]
        with servers.running(command, where) as server:
            killing = threading.Timer(1, server.kill)
            killing.start()
            copy = Copy(f"nbd+unix:///?socket={where}", str(tmp_path / "target")).go()
            killing.join()
    assert copy.job.status == "failed"
    assert "ECONNREFUSED (Connection refused): is the server running?" in copy.job.error


@pytest.mark.parametrize("fault", disks.FAULTS)
@pytest.mark.parametrize("seed", range(2))
async def test_servers_that_are_killed_at_any_moment_and_come_back_cost_no_byte(tmp_path, fault, seed):
    assert await disks.run(seed, fault, tmp_path) == ("completed", True)


async def test_a_target_that_comes_back_empty_gets_all_of_it_again(image, said):
    with servers.folder() as place:
        where = place / "s"
        command = ["nbdkit", "-f", "-U", str(where), "memory", str(SIZE)]
        uri = f"nbd+unix:///?socket={where}"
        settings = {"pauses": (0.3, 1, 4, 30), "checkpoint": 0.02, "checkpoint_share": 1.0}
        copy = Copy(str(image), uri, max_rate=2 * MIB, copy=settings)
        async with trio.open_nursery() as nursery:
            with servers.running(command, where):
                nursery.start_soon(copy.run)
                await trio.lowlevel.checkpoint()
                await copy.until_copied(2 * MIB)
                with trio.fail_after(PATIENCE):
                    while not ((kept := copy.checkpoints.load(0)) and kept.mark):
                        await trio.sleep(0.001)
            assert copy.hub.told[-1].status == "running"
            where.unlink()
            again = servers.running(command, where)
            await trio.to_thread.run_sync(again.__enter__)
            await copy.hub.wait_until(lambda hub: hub.told and hub.told[-1].status != "running")
            back = place / "back"
            await trio.to_thread.run_sync(servers.run, "nbdcopy", uri, back)
            again.__exit__(None, None, None)
        assert copy.job.status == "completed", copy.job.error
        assert back.read_bytes() == NOISE, said
    assert "the target has lost what was flushed, its copy begins anew" in [line["event"] for line in said]


def test_a_second_connection_to_a_server_of_one_client_ends_at_its_deadline(image):
    with servers.qemu_nbd(image, "raw", "-r") as uri:
        first = SystemDisks(NbdSettings()).source(uri)
        with pytest.raises(DiskError, match=r"did not answer|another client"):
            SystemDisks(NbdSettings(connect_patience=0.3)).source(uri)
        first.close()


def test_a_server_that_stands_still_ends_at_its_deadline(image):
    with servers.nbdkit("-r", "--filter=delay", "file", str(image), "rdelay=30") as source:
        disk = SystemDisks(NbdSettings(patience=0.3)).source(source)
        lane = disk.lane()
        with pytest.raises(
            DiskError, match=r"reading .* at offset 512 failed: the server did not answer"
        ) as caught:
            lane.read(512, memoryview(bytearray(10))).wait()
        assert caught.value.passing
        lane.close()
        disk.close()


GREETING = b"NBDMAGICIHAVEOPT\x00\x03"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (b"", "the server closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it is no NBD server that speaks the fixed newstyle protocol"),
        (b"NBDMAGIC" + b"\x00\x00\x42\x02\x81\x86\x12\x53" + bytes(200), "it is no NBD server"),
        (GREETING + b"\xff" * 20, "the server broke the protocol in the handshake"),
        (GREETING, "the server closed the connection"),
    ],
)
def test_what_is_no_nbd_server_is_named_so(said, sentence):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connected = listening.accept()[0]
            with connected, contextlib.suppress(OSError):  # the client may be gone already
                connected.sendall(said)
                connected.shutdown(socket.SHUT_WR)
                while connected.recv(4096):
                    pass

        serving = threading.Thread(target=serve)
        serving.start()
        port = listening.getsockname()[1]
        with pytest.raises(DiskError, match=rf"opening nbd://127.0.0.1:{port}/x failed: {sentence}"):
            SystemDisks(NbdSettings(connect_patience=5)).source(f"nbd://127.0.0.1:{port}/x")
        serving.join()


def test_an_export_that_is_not_there_is_named(image):
    with servers.qemu_nbd(image, "raw", "-r", "-x", "right", "--shared=4") as uri:
        wrong = uri.replace("///?", "///wrong?")
        with pytest.raises(DiskError, match="it has no export 'wrong'"):
            SystemDisks(NbdSettings()).source(wrong)
        SystemDisks(NbdSettings()).source(uri.replace("///?", "///right?")).close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, and a server of the name localhost: as nbdkit and we want them named."""
    folder = tmp_path_factory.mktemp("pki")
    new = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    servers.run(*new, "-subj", "/CN=authority", "-keyout", folder / "ca-key.pem", "-out", folder / "ca-cert.pem")
    for name in ("server", "client"):
        servers.run(
            *new[:2],
            *new[3:-2],
            *("-subj", f"/CN={name}", "-keyout", folder / f"{name}-key.pem", "-out", folder / f"{name}.csr"),
        )
        names = folder / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        signing = ["openssl", "x509", "-req", "-days", "2", "-CAcreateserial", "-extfile", names]
        signing += ["-CA", folder / "ca-cert.pem", "-CAkey", folder / "ca-key.pem", "-in", folder / f"{name}.csr"]
        servers.run(*signing, "-out", folder / f"{name}-cert.pem")
    return folder


@pytest.mark.parametrize("local", [False, True])
def test_a_copy_over_tls_with_certificates_of_both_sides(image, tmp_path, certificates, local):
    target = tmp_path / "target"
    with servers.folder() as place:
        where, port = place / "s", free_port()
        at = ["-U", str(where)] if local else ["-i", "127.0.0.1", "-p", str(port), "-P", str(where)]
        security = ["--tls=require", f"--tls-certificates={certificates}", "--tls-verify-peer"]
        with servers.running(["nbdkit", "-f", *at, "-r", *security, "file", str(image)], where):
            start = f"nbds+unix:///?socket={where}&" if local else f"nbds://localhost:{port}/?"
            copy = Copy(f"{start}tls-certificates={certificates}", str(target)).go()
            assert copy.job.status == "completed", copy.job.error
            assert target.read_bytes() == NOISE
            plain = f"nbd+unix:///?socket={where}" if local else f"nbd://localhost:{port}/"
            with pytest.raises(DiskError, match="it wants TLS: write nbds instead of nbd"):
                SystemDisks(NbdSettings()).source(plain)
            with pytest.raises(DiskError, match="its certificate is not to be trusted"):
                SystemDisks(NbdSettings()).source(start.rstrip("&?"))
            other = f"{start}tls-certificates={certificates}&tls-hostname=other.example"
            with pytest.raises(DiskError, match="its certificate is not to be trusted"):
                SystemDisks(NbdSettings()).source(other)


def test_a_server_without_tls_is_not_spoken_to_in_the_clear(image):
    with (
        servers.nbdkit("-r", "file", str(image)) as uri,
        pytest.raises(DiskError, match="it offers no TLS"),
    ):
        SystemDisks(NbdSettings()).source(uri.replace("nbd+", "nbds+"))


def test_the_system_s_words_for_a_socket_that_may_not_be_used(tmp_path):
    with pytest.raises(DiskError, match=errno.errorcode[errno.ECONNREFUSED]):
        SystemDisks(NbdSettings()).source(f"nbd://127.0.0.1:{free_port()}/")
