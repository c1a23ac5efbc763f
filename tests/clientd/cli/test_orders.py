"""Orders: a job is said by its file, or by the options, and never by halves."""

import pytest

from clientd.cli import orders, parser
from clientd.core.order import DiskOrder
from clientd.errors import UsageError

FILE = """
job_id = "backup-x"
max_rate = "1M"
[[disk]]
source = "/s"
target = "t"
"""


def ordered(*arguments: str):
    return orders.order(parser.parser().parse_args(["run", *arguments]), {"MIGRATEKIT_JOB_ID": "repl-1"})


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(FILE)
    return str(path)


def test_a_job_file_says_all_of_it(file, tmp_path):
    order = ordered(file, "--workers", "2", "--hub", "http://h")
    assert (order.job_id, order.max_rate) == ("backup-x", 2**20)
    assert order.disks == (DiskOrder(index=0, source="/s", target=f"{tmp_path}/t"),)


@pytest.mark.parametrize(
    "option",
    ["--disk=a=b", "--job-id=x", "--job-type=x", "--vm-name=x", "--verify", "--max-rate=5", "--target=x"],
)
def test_what_is_the_file_s_to_say_is_refused_beside_it(file, option):
    with pytest.raises(UsageError, match=f"^{option.partition('=')[0]} is the job file's to say"):
        ordered(file, option)


def test_options_alone_say_all_of_it_too():
    order = ordered("--disk", "a=b", "--disk", "nbd://h/x=c", "--verify", "--max-rate", "2K")
    assert (order.job_id, order.job_type, order.verify, order.max_rate) == ("repl-1", "replication", True, 2048)
    assert [(disk.index, disk.source, disk.target) for disk in order.disks] == [
        (0, "a", "b"),
        (1, "nbd://h/x", "c"),
    ]


def test_a_source_command_is_parted_as_by_a_shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = "nbdkit vddk 'file=[a b] c.vmdk' password=+{secret}"
    order = ordered("--source-command", command, "--target", "t", "--source-secret", "pw")
    words = ("nbdkit", "vddk", "file=[a b] c.vmdk", "password=+{secret}")
    secret = f"{tmp_path}/pw"
    assert order.disks == (DiskOrder(index=0, source_command=words, source_secret=secret, target="t"),)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--source-command", "nbdkit null"], "go together"),
        (["--target", "t"], "go together"),
        (["--source-secret", "t"], "go together"),
        (["--source-command", "nbdkit null", "--target", "t", "--disk", "a=b"], "go together"),
        (
            ["--source-command", "a 'b", "--target", "t"],
            "cannot be parted into words: .*: quote it as for a shell$",
        ),
        (["--source-command", " ", "--target", "t"], "--source-secret goes together"),
        (["--source-command", "a {secret}", "--target", "t"], "--source-secret goes together"),
        (["--source-command", "a", "--target", "t", "--source-secret", "s"], "--source-secret goes together"),
    ],
)
def test_a_source_command_is_said_whole_or_refused(arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        ordered(*arguments)
