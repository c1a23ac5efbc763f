"""Pages: the SQL of a page of jobs, put together so that an index serves each part of it.

Keys that change with every update of a running job must not be indexed (`migrations/0001_jobs.sql`). So jobs
that run, which are few, and jobs that have ended, whose keys stand still in columns of their own, are two
parts of one page; jobs without a key are the last part. Each part is cut to a page's length before they meet.
"""
# ruff: noqa: S608 - put together from our own words; values are parameters

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from schemas.job import ACTIVE
from schemas.query import Sort
from sendensed.core.listing import Mark, Query
from sendensed.store.statements import as_json

_WILD, _ESCAPED = re.compile(r"[%_\\]"), r"\\\g<0>"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ACTIVE = ", ".join(f"'{state}'" for state in sorted(ACTIVE))


class _Part(msgspec.Struct, frozen=True):
    """Jobs by one indexed key: `having` selects those that have it, `lacking` those that do not."""

    key: str
    having: str
    lacking: str = ""


_OPEN, _ENDED = "completed_at IS NULL", "completed_at IS NOT NULL"
_SPAN = "completed_at - started_at"
_PARTS: dict[Sort, tuple[_Part, ...]] = {
    "created": (_Part("created_at", "true"),),
    "started": (_Part("started_at", "started_at IS NOT NULL", "started_at IS NULL"),),
    "completed": (_Part("completed_at", _ENDED, _OPEN),),
    "duration": (_Part(f"({_SPAN})", f"({_SPAN}) IS NOT NULL", f"({_SPAN}) IS NULL"),),
    "bytes": (_Part("bytes_transferred", _OPEN), _Part("ended_bytes", f"{_ENDED} AND ended_bytes IS NOT NULL")),
    "heard": (
        _Part(
            "last_telemetry_at",
            f"{_OPEN} AND last_telemetry_at IS NOT NULL",
            f"{_OPEN} AND last_telemetry_at IS NULL",
        ),
        _Part(
            "ended_heard_at", f"{_ENDED} AND ended_heard_at IS NOT NULL", f"{_ENDED} AND ended_heard_at IS NULL"
        ),
    ),
}


def statement(query: Query) -> tuple[str, list[object]]:
    """The statement of one page and one job more, and its parameters."""
    values: list[object] = [query.limit + 1]

    def given(value: object, kind: str) -> str:
        values.append(value)
        return f"${len(values)}::{kind}"

    wanted = _wanted(query, given)
    beyond, rest = "true", "true"
    if query.after is not None:
        side = "<" if query.descending else ">"
        name = given(query.after.id, "text")
        if query.after.key is None:
            beyond, rest = "", f"id {side} {name}"
        else:
            beyond = f"({{key}}, id) {side} ({given(_value(query.after, query.sort), _kind(query.sort))}, {name})"
    parts = []
    for part in _PARTS[query.sort]:
        if beyond:
            parts.append((part.key, f"{part.having} AND {beyond.format(key=part.key)}"))
        if part.lacking:
            parts.append((part.key, f"{part.lacking} AND {rest}"))
    if not parts:  # in an order in which every job has a key nothing comes after a mark without one
        parts.append(("created_at", f"false AND {rest}"))
    towards = "DESC" if query.descending else "ASC"
    chosen = "\n        UNION ALL ".join(
        f"""(
            SELECT *, {key} AS key FROM backup_jobs
            WHERE {which} AND {condition}
            ORDER BY {key} {towards}, id {towards} LIMIT $1)"""
        for key, condition in parts
        for which in wanted
    )
    order = f"j.key {towards} NULLS LAST, j.id {towards}"
    return as_json(f"SELECT * FROM ({chosen}) AS j ORDER BY {order} LIMIT $1", order), values


def part(text: str) -> str:
    """The text as a pattern of LIKE for whatever holds it; '' is held by all."""
    return f"%{_WILD.sub(_ESCAPED, text)}%"


def _wanted(query: Query, given: Callable[[object, str], str]) -> list[str]:
    """The filters, as conditions of which any may hold: one a state, where an index has each state in order."""
    common = ["true"]
    if query.job_type:
        common.append(f"job_type = {given(query.job_type, 'text')}")
    if query.machine is not None:
        common.append(f"vm_name = {given(query.machine, 'text')}")
    if query.appliance is not None:
        common.append(f"appliance = {given(query.appliance, 'text')}")
    if query.created_from is not None:
        common.append(f"created_at >= {given(query.created_from, 'timestamptz')}")
    if query.created_to is not None:
        common.append(f"created_at < {given(query.created_to, 'timestamptz')}")
    if query.text:
        text = given(part(query.text), "text")
        common.append(f"(id ILIKE {text} OR vm_name ILIKE {text})")  # both COLLATE "C": A to Z alone are folded
    both = " AND ".join(common)
    if not query.statuses:
        return [both]
    if query.is_of_active:  # a constant condition, so that the index of active jobs serves it
        named = f"status = ANY({given(sorted(query.statuses), 'text[]')})"
        return [f"{both} AND status IN ({_ACTIVE}) AND {named}"]
    if query.sort == "created":
        return [f"{both} AND status = {given(state, 'text')}" for state in sorted(query.statuses)]
    return [f"{both} AND status = ANY({given(sorted(query.statuses), 'text[]')})"]


def _kind(sort: Sort) -> str:
    return {"bytes": "bigint", "duration": "interval"}.get(sort, "timestamptz")


def _value(mark: Mark, sort: Sort) -> object:
    """The mark's key as the database compares it."""
    number = mark.key or 0
    if sort == "bytes":
        return number
    span = timedelta(microseconds=number)
    return span if sort == "duration" else _EPOCH + span
