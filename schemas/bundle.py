"""Bundle: all that a hub knows of one job as NDJSON, so that a run can be kept, sent to somebody, and shown again.

{"kind":"header", ...}        which hub, which version, when
{"kind":"job", ...}           the job as it stood then
{"kind":"sample", ...} ...    in order of time, as are the others
{"kind":"gap", ...} ...
{"kind":"event", ...} ...
{"kind":"prediction", ...} ...
{"kind":"end","lines":N}      so that one that was cut off is noticed
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from schemas import codec
from schemas.fault import Invalid
from schemas.job import Accuracy, EventView, JobDetail, JobView, Prediction
from schemas.reading import Gap, Sample, Samples

FORMAT = 1
"""Grows when a reader of before would misread what is written."""


class Header(msgspec.Struct, frozen=True, tag="header", tag_field="kind"):
    """First line: what this is, and where it comes from. `version` is that of the hub, `exported_at` its time."""

    job_id: str
    version: str
    hub: str
    exported_at: datetime
    step_seconds: float
    accuracy: Accuracy | None = None
    format: int = FORMAT


class JobLine(msgspec.Struct, frozen=True, tag="job", tag_field="kind"):
    """The job, whole, as it stood when it was exported."""

    job: JobView


class SampleLine(Sample, frozen=True, tag="sample", tag_field="kind"):
    """One point of its chart."""


class GapLine(Gap, frozen=True, tag="gap", tag_field="kind"):
    """A stretch of time without points."""


class EventLine(msgspec.Struct, frozen=True, tag="event", tag_field="kind"):
    """One row of its history, which has a `kind` of its own."""

    event: EventView


class PredictionLine(Prediction, frozen=True, tag="prediction", tag_field="kind"):
    """What was said of the time left, and what came."""


class End(msgspec.Struct, frozen=True, tag="end", tag_field="kind"):
    """Last line. `lines` counts those before it."""

    lines: int


Line = Header | JobLine | SampleLine | GapLine | EventLine | PredictionLine | End

_decode = msgspec.json.Decoder(Line).decode


class Bundle(msgspec.Struct, frozen=True):
    """A bundle read. `is_whole` is false where it was cut off."""

    header: Header
    job: JobView
    samples: tuple[Sample, ...]
    gaps: tuple[Gap, ...]
    events: tuple[EventView, ...]
    predictions: tuple[Prediction, ...]
    is_whole: bool


def write(detail: JobDetail, chart: Samples, *, hub: str, version: str, now: datetime) -> Iterator[bytes]:
    """The lines of a bundle, without their ends."""
    lines: list[Line] = [
        Header(detail.job.id, version, hub, now, chart.step_seconds, detail.accuracy),
        JobLine(detail.job),
        *(SampleLine(**msgspec.structs.asdict(one)) for one in chart.samples),
        *(GapLine(**msgspec.structs.asdict(one)) for one in chart.gaps),
        *(EventLine(one) for one in detail.events),
        *(PredictionLine(**msgspec.structs.asdict(one)) for one in detail.predictions),
    ]
    yield from map(codec.encode, lines)
    yield codec.encode(End(len(lines)))


def read(lines: Iterable[bytes]) -> Bundle:
    """The bundle of these lines. Raises Invalid naming the line that is none of a bundle's."""
    header: Header | None = None
    job: JobView | None = None
    samples: list[Sample] = []
    gaps: list[Gap] = []
    events: list[EventView] = []
    predictions: list[Prediction] = []
    is_whole = False
    for number, content in enumerate(lines, 1):
        line = _line(number, content)
        if (header is None) != isinstance(line, Header):
            raise Invalid(f"line {number}: a bundle begins with its one header")
        match line:
            case Header():
                header = line
                if header.format != FORMAT:
                    raise Invalid(
                        f"line {number}: the bundle is of format {header.format}, and this reads {FORMAT}"
                    )
            case JobLine():
                job = line.job
            case SampleLine():
                samples.append(line)
            case GapLine():
                gaps.append(line)
            case EventLine():
                events.append(line.event)
            case PredictionLine():
                predictions.append(line)
            case _:
                is_whole = line.lines == number - 1
    if header is None or job is None:
        raise Invalid("it is no bundle: header and job are missing")
    return Bundle(header, job, tuple(samples), tuple(gaps), tuple(events), tuple(predictions), is_whole)


def _line(number: int, content: bytes) -> Line:
    try:
        line: Line = _decode(content)
    except msgspec.MsgspecError as error:
        raise Invalid(f"line {number}: {error}") from None
    return line
