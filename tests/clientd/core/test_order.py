"""Order: what a disk is called."""

from clientd.core.order import DiskOrder


def test_a_disk_is_called_by_its_source_or_by_the_command_that_serves_it():
    assert DiskOrder(index=0, target="t", source="nbd://a/b").name == "nbd://a/b"
    assert DiskOrder(index=0, target="t", source_command=("nbdkit", "vddk")).name == "nbdkit"
