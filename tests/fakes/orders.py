"""Orders: an order of so many disks, from s0, s1, ... to t0, t1, ..."""

from clientd.core.order import DiskOrder, Order


def order(count: int = 1, **changed: object) -> Order:
    """A full backup; any field of it can be given otherwise."""
    fields: dict[str, object] = {
        "job_id": "backup-web01-20261123-021407",
        "job_type": "backup",
        "vm_name": "web01",
    }
    fields["disks"] = tuple(disk(index) for index in range(count))
    return Order(**{**fields, **changed})  # type: ignore[arg-type]


def disk(index: int = 0, **changed: object) -> DiskOrder:
    """From s0 to t0; any field of it can be given otherwise."""
    fields: dict[str, object] = {"index": index, "source": f"s{index}", "target": f"t{index}"}
    return DiskOrder(**{**fields, **changed})  # type: ignore[arg-type]
