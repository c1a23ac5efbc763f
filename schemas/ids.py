"""Ids: what a job id and a job type may be, and what a job id of the original sender tells."""

import re

JOB_ID_BYTES = 200
"""Longest job id, in bytes of UTF-8."""

_JOB_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ORIGINAL_ID = re.compile(r"(?:backup|restore|repl|job)-(?P<vm>.+?)(?:-disk\d+)?-\d{8}-\d{6}")
_TYPE_BY_PREFIX = (
    ("backup-", "backup"),
    ("repl-", "replication"),
    ("job-", "replication"),
    ("restore-", "restore"),
)


def job_type_problem(job_type: str) -> str | None:
    """Why this cannot be a job type, as the end of a sentence; None where it can."""
    if _JOB_TYPE.fullmatch(job_type):
        return None
    return "must be a lower-case word like 'backup': a letter, then up to 31 letters, digits, '_' or '-'"


def job_id_problem(job_id: str) -> str | None:
    """Why this cannot be a job id, as the end of a sentence; None where it can."""
    try:
        size = len(job_id.encode())
    except UnicodeEncodeError:
        return "must be valid UTF-8"
    if not 1 <= size <= JOB_ID_BYTES:
        return f"must be 1 to {JOB_ID_BYTES} bytes of UTF-8, not {size}"
    if _CONTROL.search(job_id):
        return "must not contain control characters"
    return None


def vm_name_of(job_id: str) -> str:
    """The machine's name where the id has the original's form, `backup-NAME[-diskN]-YYYYMMDD-HHMMSS`; else ''."""
    match = _ORIGINAL_ID.fullmatch(job_id)
    return match["vm"] if match else ""


def job_type_of(job_id: str) -> str:
    """The job type that the original's id prefixes stand for; `backup` for any other id."""
    return next((kind for prefix, kind in _TYPE_BY_PREFIX if job_id.startswith(prefix)), "backup")
