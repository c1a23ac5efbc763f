"""Jobfile: a job file says one order, whole, or is refused with the place of the first mistake."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientd.core import jobfile
from clientd.core.jobfile import Wrong
from clientd.core.order import DiskOrder, Order

BASE = "/srv/jobs"

WHOLE = b"""
job_id = "repl-web01-20261123-020000"
job_type = "backup"
vm_name = "web 01"
mode = "incremental"
verify = true
max_rate = "50M"

[[disk]]
source = "nbd+unix:///sda?socket=/run/sda.sock"
target = "out/sda.img"
changes = "bitmap0"

[[disk]]
index = 7
source_command = ["nbdkit", "vddk", "password=+{secret}", "disk.vmdk"]
source_secret = "./secret"
target = "nbd://hub/sdb"
changes = "sdb.jsonl"
change_id = "52 3f/4"
"""


def disk(**changed: object) -> dict[str, object]:
    return {"source": "/s", "target": "/t", **changed}


def content(**changed: object) -> bytes:
    return json.dumps({"job_id": "backup-x", "disk": [disk()], **changed}).encode()


def order(**changed: object) -> Order:
    return jobfile.parse(content(**changed), "json", None)


def test_a_whole_file_is_the_whole_order():
    assert jobfile.parse(WHOLE, "toml", BASE) == Order(
        job_id="repl-web01-20261123-020000",
        job_type="backup",
        vm_name="web 01",
        mode="incremental",
        verify=True,
        max_rate=50 * 2**20,
        disks=(
            DiskOrder(
                index=0,
                source="nbd+unix:///sda?socket=/run/sda.sock",
                target="/srv/jobs/out/sda.img",
                changes="bitmap0",
            ),
            DiskOrder(
                index=7,
                source_command=("nbdkit", "vddk", "password=+{secret}", "disk.vmdk"),
                source_secret="/srv/jobs/secret",
                target="nbd://hub/sdb",
                changes="/srv/jobs/sdb.jsonl",
                change_id="52 3f/4",
            ),
        ),
    )


def test_json_and_toml_say_the_same():
    text = b'job_id = "backup-x"\ndisk = [{source = "/s", target = "/t"}]'
    assert jobfile.parse(text, "toml", None) == order()


def test_what_is_left_out_has_its_default():
    said = order()
    assert (said.job_type, said.vm_name, said.mode, said.verify, said.max_rate) == ("backup", "", "full", False, 0)
    assert order(job_id="restore-1").job_type == "restore"


def test_changes_name_a_bitmap_only_of_an_nbd_export_and_without_a_slash_or_a_file_s_ending():
    def changes(source: str, name: str) -> str:
        text = content(mode="incremental", disk=[disk(source=source, changes=name)])
        return jobfile.parse(text, "json", BASE).disks[0].changes

    assert changes("nbds://h/x", "b0") == "b0"
    assert changes("nbds://h/x", "./b0") == "/srv/jobs/b0"
    assert changes("nbds://h/x", "b0.jsonl") == "/srv/jobs/b0.jsonl"
    assert changes("/srv/a.img", "b0") == "/srv/jobs/b0"
    assert changes("/srv/a.img", "/b0") == "/b0"


@pytest.mark.parametrize("name", ["nbd://h/x", "NBDS+unix:///x?socket=s"])
def test_nbd_uris_stay_as_they_are(name):
    assert order(disk=[disk(source=name, target=name)]).disks[0].source == name


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"job_id": 5}, "job_id: must be text, not a whole number: correct it there$"),
        ({"job_id": ""}, "job_id: must be 1 to 200 bytes of UTF-8, not 0"),
        ({"job_id": "a\nb"}, "job_id: must not contain control characters"),
        ({"job_type": "No!"}, "job_type: must be a lower-case word"),
        ({"vm_name": "a\x1bb"}, "vm_name: must be printable text"),
        ({"vm_name": "\ud800"}, "vm_name: must be printable text"),
        ({"job_type": 1, "job_id": ["\ud800"]}, "job_id: must be text, not a list: "),
        ({"vm_name": "x" * 256}, "vm_name: must be text of at most 255 characters: correct it there$"),
        ({"mode": "fast"}, "mode: must be one of full, incremental: correct it there$"),
        ({"verify": 1}, "verify: must be true or false, not a whole number: "),
        ({"max_rate": -1}, "max_rate: must be a whole number of at least 0: correct it there$"),
        ({"max_rate": 1.5}, "max_rate: must be a whole number or text, not a number: "),
        ({"max_rate": "quick"}, "max_rate: 'quick' is not a rate like"),
        ({"progress_job_id": ""}, "progress_job_id: must be 1 to 200 bytes"),
        ({"progress_job_id": "a\nb"}, "progress_job_id: must not contain control characters"),
        ({"colour": "red"}, "colour: is not known here: correct its name, or take it out$"),
        ({"disk": []}, "disk: must be a list of at least 1 item: "),
        ({"disk": [disk()] * 257}, "disk: must be a list of at most 256 items: "),
        ({"disk": [disk(), {"source": "/a"}]}, r"disk\[1\].target: is missing: add it there$"),
        ({"disk": [disk(), 5]}, r"disk\[1\]: must be a table, not a whole number: "),
        ({"disk": [disk(), disk(tagret="/x")]}, r"disk\[1\].tagret: is not known here"),
        ({"disk": [disk(index=-1)]}, r"disk\[0\].index: must be a whole number of at least 0: "),
        ({"disk": [disk(index=True)]}, r"disk\[0\].index: must be a whole number, not true or false: "),
        ({"disk": [disk(index=1), disk()]}, r"disk\[1\].index: 1 is disk\[0\]'s already: give it another$"),
        (
            {"disk": [{"target": "/t"}]},
            r"disk\[0\].source: it and source_command are both missing: name one of them$",
        ),
        ({"disk": [disk(source_command=["x"])]}, r"disk\[0\].source: it and source_command stand both"),
        (
            {"disk": [disk(source=None, source_command=[])]},
            r"disk\[0\].source_command: must be a list of at least 1 item: ",
        ),
        ({"disk": [disk(source=None, source_command=["a", ""])]}, r"disk\[0\].source_command\[1\]: must not be"),
        (
            {"disk": [disk(source_secret="/x")]},
            r"disk\[0\].source_secret: goes together with \{secret\} in source_command: give both or none$",
        ),
        ({"disk": [disk(source=None, source_command=["{secret}"])]}, r"disk\[0\].source_secret: goes together"),
        ({"disk": [disk(target="")]}, r"disk\[0\].target: must not be empty"),
        ({"disk": [disk(target="a\x00b")]}, r"disk\[0\].target: must be printable text"),
        ({"disk": [disk(target="t")]}, r"disk\[0\].target: 't' must be an absolute path: begin it with /$"),
        (
            {"disk": [disk(source="nbd://")]},
            r"disk\[0\].source: the NBD address 'nbd://' names no host: write nbd://HOST/EXPORT$",
        ),
        ({"disk": [disk(), disk(target="nbd://h:0/x")]}, r"disk\[1\].target: .*has no possible port: name one"),
        ({"disk": [disk(source="nbd://h/x?colour=red")]}, r"disk\[0\].source: .*an unknown parameter 'colour'"),
        ({"disk": [disk(target="http://h/x")]}, r"disk\[0\].target: .*which is none of nbd://"),
        ({"disk": [disk(change_id="\n")]}, r"disk\[0\].change_id: must be printable text"),
        (
            {"mode": "incremental"},
            r"disk\[0\].changes: is missing, which an incremental job cannot do without: add it there$",
        ),
    ],
)
def test_a_mistake_is_refused_with_its_place(changed, sentence):
    with pytest.raises(Wrong, match=f"^{sentence}"):
        order(**changed)


@pytest.mark.parametrize(
    ("text", "form", "sentence"),
    [
        (b"", "toml", "job_id: is missing"),
        (b"job_id", "toml", r"it is not TOML: .*; JSON is read where the name ends in \.json"),
        (b'a = 1\na = "2"', "toml", "it is not TOML: "),
        (b"\xff", "toml", "it is not TOML: "),
        (b"a = " + b"[" * 9999, "toml", "it is nested too deeply"),
        (b"", "json", "it is not JSON: "),
        (b"[]", "json", "must be a table, not a list: correct it there$"),
        (b"[" * 99999, "json", "it is nested too deeply"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "json", "the key 'c' stands twice: take one out$"),
        (b'{"max_rate": NaN}', "json", "it is not JSON: NaN is no number"),
        (b'"\\ud800"', "json", "it holds half of a character"),
        (b"9" * 5000, "json", "it is not JSON: "),
        (b" " * (jobfile.LARGEST + 1), "json", "it has over 1048576 bytes: give the job fewer disks$"),
    ],
)
def test_what_is_no_job_file_is_refused(text, form, sentence):
    with pytest.raises(Wrong, match=f"^{sentence}"):
        jobfile.parse(text, form, BASE)


def test_an_order_written_and_read_is_the_same_order():
    whole = jobfile.parse(WHOLE, "toml", BASE)
    assert jobfile.parse(jobfile.write(whole), "json", None) == whole
    assert jobfile.parse(jobfile.write(order()), "json", None) == order()
    named = order(progress_job_id="p/1")
    assert named.progress_job_id == "p/1"
    assert jobfile.parse(jobfile.write(named), "json", None) == named


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_content_does_worse_than_being_wrong(text):
    for form in ("toml", "json"):
        with pytest.raises(Wrong):
            jobfile.parse(text, form, BASE)
