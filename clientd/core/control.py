"""Control: what goes over the daemon's unix socket: a line of JSON each way.

{"command":"submit","job":{"job_id":"backup-x","disk":[{"source":"/s","target":"/t"}]}}
{"command":"list"}
{"command":"cancel","job_id":"backup-x"}

{"jobs":[{"job_id":"backup-x","state":"running",...}]}
{"error":{"code":"duplicate","sentence":"the job 'backup-x' is running already: ..."}}
"""

from collections.abc import Callable

import msgspec

from clientd.core import jobfile
from clientd.core.order import Order
from clientd.core.queue import Entry, Refused, State
from schemas.telemetry import TelemetryBody

LONGEST = jobfile.LARGEST + 1024
"""Most bytes of a line to the daemon: the largest job, and the words around it."""
LONGEST_ANSWER = 16 * 1024 * 1024
"""Most bytes of a line from it: a full queue, every job with a long id and a long error."""


class Submit(msgspec.Struct, frozen=True, tag_field="command", tag="submit", forbid_unknown_fields=True):
    """Take this job: a job file's content in JSON, with absolute paths. Answered when it is in the queue."""

    job: msgspec.Raw

    @property
    def order(self) -> Order:
        """The job's. Raises jobfile.Wrong."""
        return jobfile.parse(bytes(self.job), "json", None)


class ListJobs(msgspec.Struct, frozen=True, tag_field="command", tag="list", forbid_unknown_fields=True):
    """Say which jobs there are."""


class Cancel(msgspec.Struct, frozen=True, tag_field="command", tag="cancel", forbid_unknown_fields=True):
    """End this job. Answered when that can no longer be forgotten; the end itself takes its time."""

    job_id: str


Request = Submit | ListJobs | Cancel


class JobView(msgspec.Struct, frozen=True):
    """One job, as `clientd list` shows it. Bytes are those completed at the target; speed is bytes per second."""

    job_id: str
    state: State
    attempt: int
    phase: str | None = None
    percent: float | None = None
    bytes_transferred: int | None = None
    total_bytes: int | None = None
    speed: int | None = None
    error: str | None = None
    ended: str | None = None


class Fault(msgspec.Struct, frozen=True):
    """Why not: a code for programs, a sentence for people."""

    code: str
    sentence: str


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """To every request: the jobs that it was about, or the error."""

    jobs: tuple[JobView, ...] = ()
    error: Fault | None = None


encode = msgspec.json.Encoder().encode
_decode_request: Callable[[bytes], Request] = msgspec.json.Decoder(Request).decode
_decode_answer = msgspec.json.Decoder(Answer).decode


def request(line: bytes) -> Request:
    """The request of a line. Raises Refused where it is none."""
    try:
        return _decode_request(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        said = str(error).replace("`", "'").replace("$.", "")
        raise Refused("malformed", f"that is no request: {said}: send one JSON object a line") from None


def answer(line: bytes) -> Answer:
    """The answer of a line. Raises ValueError where it is none."""
    return _decode_answer(line)


def view(entry: Entry, body: TelemetryBody | None) -> JobView:
    """The entry as it is shown; `body` is the newest that its running attempt has told."""
    if body is not None:
        return JobView(
            job_id=entry.job_id,
            state=entry.state,
            attempt=entry.attempt,
            phase=body.current_phase,
            percent=body.progress_percent,
            bytes_transferred=body.bytes_transferred,
            total_bytes=body.total_bytes,
            speed=body.transfer_speed_bps,
            error=entry.unwanted or _text(body.error),
        )
    return JobView(
        job_id=entry.job_id,
        state=entry.state,
        attempt=entry.attempt,
        percent=_percent(entry),
        bytes_transferred=entry.bytes_transferred if entry.over else None,
        total_bytes=entry.total_bytes,
        error=entry.error or entry.unwanted or None,
        ended=entry.ended or None,
    )


def _text(error: object) -> str | None:
    return str(error) if error else None


def _percent(entry: Entry) -> float | None:
    if entry.state == "completed":
        return 100.0
    if not entry.over or not entry.total_bytes:
        return None
    return min(round(100 * entry.bytes_transferred / entry.total_bytes, 2), 99.99)
