"""Files: a job file is read from where it lies, or refused in a sentence that names it."""

import os

import pytest

from clientd import files
from clientd.core import jobfile
from clientd.errors import UsageError

TOML = 'job_id = "backup-x"\n[[disk]]\nsource = "a.img"\ntarget = "/srv/b.img"\n'
JSON = '{"job_id": "backup-x", "disk": [{"source": "a.img", "target": "/srv/b.img"}]}'


@pytest.mark.parametrize(
    ("name", "text"), [("job.toml", TOML), ("job.json", JSON), ("job.JSON", JSON), ("job", TOML)]
)
def test_relative_paths_are_relative_to_the_file(tmp_path, monkeypatch, name, text):
    (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, files.Path(name)):
        disk = files.read(path).disks[0]
        assert (disk.source, disk.target) == (f"{tmp_path}/a.img", "/srv/b.img")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "cannot be read: ENOENT"),
        (lambda path: path.mkdir(), "is not a file"),
        (os.mkfifo, "is not a file"),
        (
            lambda path: path.write_text("job_id = 1"),
            "is wrong: job_id: must be text, not a whole number: correct it there$",
        ),
        (lambda path: path.write_bytes(b" " * 2 * jobfile.LARGEST), "is wrong: it has over"),
    ],
)
def test_what_is_no_job_file_is_named(tmp_path, make, sentence):
    path = tmp_path / "job.toml"
    make(path)
    with pytest.raises(UsageError, match=f"the job file '{path}' {sentence}"):
        files.read(path)


def test_a_file_that_a_terminal_could_not_show_is_named_all_the_same(tmp_path):
    path = tmp_path / "\udcff\x1b.toml"
    path.write_text('"\\u001b" = 1')
    with pytest.raises(UsageError, match="\ufffd\ufffd\\.toml' is wrong: \ufffd"):
        files.read(path)
