"""Metering: what an update adds to a job's meter, and what is told of its speed and its time left.

What is copied is measured, and what is read again once that is all that is done.
"""

from datetime import datetime

from msgspec.structs import replace

from schemas.job import ACTIVE, EtaReason, State
from schemas.telemetry import Telemetry
from sendensed.core import estimate
from sendensed.core.model import Job, Meter

_OLDEST = 86_400.0
"""Seconds: an update that claims to have waited longer is measured as if it had waited this long."""


def metered(
    job: Job, done: int, update: Telemetry, now: datetime, *, is_active: bool, phase: str
) -> tuple[Meter, int]:
    """The meter, and speed from it; the sender's word stands in until there is a measurement."""
    known = job.meter
    verified, to_verify = max(known.verified, update.bytes_verified), update.bytes_to_verify or known.to_verify
    again = estimate.is_verifying(phase, to_verify)
    was = estimate.is_verifying(job.current_phase, known.to_verify)
    anew = again != was or (is_active and phase != job.current_phase)
    at = now.timestamp() - min(update.age, _OLDEST)
    meter = estimate.observe(Meter() if anew else known, at, verified if again else done)
    if verified or to_verify:
        meter = replace(meter, verified=verified, to_verify=to_verify)
    if again:  # nothing is copied any more
        return meter, update.transfer_speed_bps if is_active else job.transfer_speed_bps
    measured = estimate.speed(meter)
    if not is_active:
        return meter, job.transfer_speed_bps or measured or update.transfer_speed_bps
    return meter, measured if measured is not None else update.transfer_speed_bps or job.transfer_speed_bps


def time_left(
    status: State, phase: str, meter: Meter, total: int, past: float | None = None
) -> dict[str, int | str | None]:
    """The fields that tell the time left, or the reason why there is none. `past` is of copies."""
    left: int | None = 0
    reason: EtaReason | None = None
    if status == "stalled":
        left, reason = None, "stalled"
    elif status in ACTIVE:
        left, reason = estimate.run_left(meter, total, phase)
        if estimate.is_verifying(phase, meter.to_verify):
            past = None
    told = estimate.spread(meter, left, past) if left else None
    low, high = told or (None, None)
    basis = None if told is None else "run" if past is None else "history"
    return {
        "eta_seconds": left,
        "eta_reason": reason,
        "eta_low_seconds": low,
        "eta_high_seconds": high,
        "eta_basis": basis,
    }
