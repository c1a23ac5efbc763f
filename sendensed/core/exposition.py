"""Exposition: metrics as text in both formats of Prometheus. A family is written whole, with type and purpose."""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from sendensed.core.gauges import BOUNDS, Histogram

OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Family(msgspec.Struct, frozen=True):
    """One metric: its name without `_total`, what it is, and its values by their labels."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    purpose: str
    values: Mapping[Labels, float | Histogram]


def write(families: Iterable[Family], *, open_metrics: bool) -> bytes:
    """The text of all of them. OpenMetrics names a counter's family without `_total` and ends with `# EOF`."""
    lines: list[str] = []
    for family in families:
        sample = f"{family.name}_total" if family.kind == "counter" else family.name
        title = family.name if open_metrics else sample
        lines += [f"# HELP {title} {_escaped(family.purpose)}", f"# TYPE {title} {family.kind}"]
        for labels, value in family.values.items():
            if isinstance(value, Histogram):
                lines += _buckets(family.name, labels, value)
            else:
                lines.append(f"{sample}{_labels(labels)} {_number(value)}")
    if open_metrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines).encode()


def _buckets(name: str, labels: Labels, histogram: Histogram) -> list[str]:
    lines, below = [], 0
    for bound, count in zip((*map(_number, BOUNDS), "+Inf"), histogram.counts, strict=True):
        below += count
        lines.append(f"{name}_bucket{_labels((*labels, ('le', bound)))} {below}")
    return [
        *lines,
        f"{name}_sum{_labels(labels)} {_number(histogram.sum)}",
        f"{name}_count{_labels(labels)} {below}",
    ]


def _labels(labels: Labels) -> str:
    inside = ",".join(f'{name}="{_escaped(value, quoted=True)}"' for name, value in labels)
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str, *, quoted: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quoted else text


def _number(value: float) -> str:
    return repr(value)
