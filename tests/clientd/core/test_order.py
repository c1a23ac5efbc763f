"""Order: what a disk is called."""

from clientd.core.order import DiskOrder


def test_a_disk_is_called_by_its_source_or_by_the_command_that_serves_it():
    assert DiskOrder(index=0, target="t", source="nbd://a/b").name == "nbd://a/b"
    assert DiskOrder(index=0, target="t", source_command=("nbdkit", "vddk")).name == "nbdkit"


def test_changes_name_a_file_by_a_slash_or_an_ending_and_else_a_bitmap():
    for name in ("/tmp/x", "./x", "x.jsonl", "x.json", "x.ndjson"):
        asked = DiskOrder(index=0, target="t", source="s", changes=name)
        assert (asked.changes_file, asked.bitmap) == (name, "")
    asked = DiskOrder(index=0, target="t", source="s", changes="backup-1")
    assert (asked.changes_file, asked.bitmap) == ("", "backup-1")
