"""Commands: a source that an nbdkit of our own serves."""

import subprocess

import pytest

from tests.clientd.copies import Copy
from tests.clientd.images import draw


def test_what_a_command_serves_is_copied_its_secret_comes_by_a_descriptor_and_it_is_reaped(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    script = tmp_path / "plugin.sh"
    script.write_text(
        '#!/bin/bash\ncase $1 in config) [ $2 = fd ] && [ "$(cat /dev/fd/$3)" = s3cret ] || exit 1 ;;\n'
        "get_size) echo 65536 ;; pread) head -c $3 /dev/zero | tr '\\0' x ;; can_write) exit 3 ;;"
        " *) exit 2 ;; esac\n"
    )
    script.chmod(0o755)
    target = tmp_path / "target"
    command = ("nbdkit", "sh", str(script), "fd={secret}")
    copy = Copy("", str(target), disk={"source_command": command, "source_secret": str(secret)}).go()
    assert copy.job.status == "completed", copy.job.error
    assert target.read_bytes() == b"x" * 65536
    assert subprocess.run(["pgrep", "-f", str(script)], capture_output=True, check=False).stdout == b""


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("nbdkit", "file", "/nowhere/at/all"), "it ended at once with exit code 1; nbdkit said:"),
        (
            ("/nowhere/nbdkit", "null"),
            "starting nbdkit failed: ENOENT (No such file or directory): is it installed?",
        ),
    ],
)
def test_a_command_that_does_not_start_fails_the_job_with_its_own_words(tmp_path, command, sentence):
    copy = Copy("", str(tmp_path / "target"), disk={"source_command": command}).go()
    assert copy.job.status == "failed"
    assert sentence in copy.job.error
    if command[0] == "nbdkit":
        assert "/nowhere/at/all" in copy.job.error


def test_a_command_s_last_words_are_in_the_error_of_the_copy(tmp_path):
    image = draw(tmp_path / "source", "AB")
    command = ("nbdkit", "--filter=error", "file", str(image), "error-pread=EIO", "error-pread-rate=100%")
    copy = Copy("", str(tmp_path / "target"), disk={"source_command": command}).go()
    assert copy.job.status == "failed"
    assert "reading nbdkit at offset " in copy.job.error
    assert "EIO" in copy.job.error
    assert "nbdkit said: " in copy.job.error
