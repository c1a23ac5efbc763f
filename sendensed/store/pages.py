"""Pages: the SQL of a page of jobs, put together so that an index serves each part of it.

Keys that change with every update of a running job must not be indexed (`migrations/0001_jobs.sql`). So jobs
that run, which are few, and jobs that have ended, whose keys stand still in columns of their own, are two
parts of one page; jobs without a key are the last part. Each part is cut to a page's length before they meet.

A text is looked for among so many jobs after the mark and no more, and the next page goes on from there: no index
finds a piece of a name, and a look through a million jobs would take most of a second.
"""
# ruff: noqa: S608 - put together from our own words; values are parameters

import re
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
    """Jobs by one indexed key: `having` selects those that have it, `lacking` those that do not.

    All but one part of an order are small: jobs that run, or lack the key.
    """

    key: str
    having: str
    lacking: str = ""
    is_small: bool = False


_OPEN, _ENDED = "completed_at IS NULL", "completed_at IS NOT NULL"
_SPAN = "completed_at - started_at"
_PARTS: dict[Sort, tuple[_Part, ...]] = {
    "created": (_Part("created_at", "true"),),
    "started": (_Part("started_at", "started_at IS NOT NULL", "started_at IS NULL"),),
    "completed": (_Part("completed_at", _ENDED, _OPEN),),
    "duration": (_Part(f"({_SPAN})", f"({_SPAN}) IS NOT NULL", f"({_SPAN}) IS NULL"),),
    "bytes": (
        _Part("bytes_transferred", _OPEN, is_small=True),
        _Part("ended_bytes", f"{_ENDED} AND ended_bytes IS NOT NULL"),
    ),
    "heard": (
        _Part(
            "last_telemetry_at",
            f"{_OPEN} AND last_telemetry_at IS NOT NULL",
            f"{_OPEN} AND last_telemetry_at IS NULL",
            is_small=True,
        ),
        _Part(
            "ended_heard_at", f"{_ENDED} AND ended_heard_at IS NOT NULL", f"{_ENDED} AND ended_heard_at IS NULL"
        ),
    ),
}


WINDOW = 20_000
"""Jobs that one page looks through for a text: some 20 ms."""


class _Values:
    """The parameters of a statement, in the order in which it came to need them."""

    def __init__(self, *first: object) -> None:
        self.given: list[object] = list(first)

    def __call__(self, value: object, kind: str) -> str:
        """How the statement speaks of one more."""
        self.given.append(value)
        return f"${len(self.given)}::{kind}"


def statement(query: Query, window: int = WINDOW) -> tuple[str, list[object]]:
    """The statement of one page and one job more, and its parameters."""
    given = _Values(query.limit + 1)
    common, wanted = _common(query, given), _wanted(query, given)
    chosen = []
    for part in _PARTS[query.sort]:
        if (beyond := _beyond(part, query, given)) is not None:
            if has_window(query) and not part.is_small:
                chosen.append(_within(part, query, [*common, beyond], wanted, given(window, "bigint")))
            else:
                chosen.extend(_first(part, query, [*common, part.having, beyond, one]) for one in wanted)
        if part.lacking:
            rest = "true"
            if query.after is not None and query.after.key is None:
                rest = f"id {_side(query)} {given(query.after.id, 'text')}"
            chosen.extend(_first(part, query, [*common, part.lacking, rest, one]) for one in wanted)
    if not chosen:  # in an order in which every job has a key nothing comes after a mark without one
        chosen = [_first(_PARTS["created"][0], query, [*common, *wanted, "false"])]
    order = f"j.key {_towards(query)} NULLS LAST, j.id {_towards(query)}"
    together = "\n        UNION ALL ".join(chosen)
    return as_json(f"SELECT * FROM ({together}) AS j ORDER BY {order} LIMIT $1", order), given.given


def has_window(query: Query) -> bool:
    """Whether the page is looked for among so many jobs and no more."""
    return bool(query.text) and not query.is_of_active


def edge(query: Query, window: int = WINDOW) -> tuple[str, list[object]] | None:
    """The statement of the last job that such a page looks at; no row where it sees all there are. None where all
    that comes after the mark are few.

    The row is one JSON document of a list, as the page's.
    """
    [large] = [part for part in _PARTS[query.sort] if not part.is_small]
    given = _Values()
    common, beyond = _common(query, given), _beyond(large, query, given)
    if beyond is None:
        return None
    seen = _ordered(large, query, [*common, large.having, beyond], "id")  # of the index alone, mostly
    name = f"SELECT id FROM ({seen} OFFSET {given(window - 1, 'bigint')} LIMIT 1) AS last"
    return as_json(f"SELECT * FROM backup_jobs WHERE id = ({name})", "j.id"), given.given


def _first(part: _Part, query: Query, conditions: list[str]) -> str:
    """The first jobs of a part, a page and one more."""
    return f"({_ordered(part, query, conditions)} LIMIT $1)"


def _within(part: _Part, query: Query, conditions: list[str], wanted: list[str], window: str) -> str:
    """As `_first`, of those among the first `window` of which any of `wanted` holds."""
    seen = f"{_ordered(part, query, [*conditions, part.having])} LIMIT {window}"
    any_of = " OR ".join(f"({one})" for one in wanted)
    order = f"key {_towards(query)}, id {_towards(query)}"
    return f"(SELECT * FROM ({seen}) AS seen WHERE {any_of} ORDER BY {order} LIMIT $1)"


def _ordered(part: _Part, query: Query, conditions: list[str], columns: str = "*") -> str:
    towards = _towards(query)
    return f"""
            SELECT {columns}, {part.key} AS key FROM backup_jobs
            WHERE {" AND ".join(conditions)}
            ORDER BY {part.key} {towards}, id {towards}"""


def _beyond(part: _Part, query: Query, given: _Values) -> str | None:
    """What of a part that has keys comes after the mark; None where nothing does."""
    if query.after is None:
        return "true"
    if query.after.key is None:
        return None
    value = given(_value(query.after, query.sort), _kind(query.sort))
    return f"({part.key}, id) {_side(query)} ({value}, {given(query.after.id, 'text')})"


def _side(query: Query) -> str:
    return "<" if query.descending else ">"


def _towards(query: Query) -> str:
    return "DESC" if query.descending else "ASC"


def part(text: str) -> str:
    """The text as a pattern of LIKE for whatever holds it; '' is held by all."""
    return f"%{_WILD.sub(_ESCAPED, text)}%"


def _common(query: Query, given: _Values) -> list[str]:
    """The filters that an index serves in an order."""
    found = ["true"]
    if query.job_type:
        found.append(f"job_type = {given(query.job_type, 'text')}")
    if query.machine is not None:
        found.append(f"vm_name = {given(query.machine, 'text')}")
    if query.appliance is not None:
        found.append(f"appliance = {given(query.appliance, 'text')}")
    if query.created_from is not None:
        found.append(f"created_at >= {given(query.created_from, 'timestamptz')}")
    if query.created_to is not None:
        found.append(f"created_at < {given(query.created_to, 'timestamptz')}")
    return found


def _wanted(query: Query, given: _Values) -> list[str]:
    """The other filters, as conditions of which any may hold: one a state, where an index has each in order."""
    text = "true"
    if query.text:
        like = given(part(query.text), "text")
        text = f"(id ILIKE {like} OR vm_name ILIKE {like})"  # both COLLATE "C": A to Z alone are folded
    if not query.statuses:
        return [text]
    if query.is_of_active:  # a constant condition, so that the index of active jobs serves it
        named = f"status = ANY({given(sorted(query.statuses), 'text[]')})"
        return [f"{text} AND status IN ({_ACTIVE}) AND {named}"]
    if query.sort == "created" and not query.text:
        return [f"{text} AND status = {given(state, 'text')}" for state in sorted(query.statuses)]
    return [f"{text} AND status = ANY({given(sorted(query.statuses), 'text[]')})"]


def _kind(sort: Sort) -> str:
    return {"bytes": "bigint", "duration": "interval"}.get(sort, "timestamptz")


def _value(mark: Mark, sort: Sort) -> object:
    """The mark's key as the database compares it."""
    number = mark.key or 0
    if sort == "bytes":
        return number
    span = timedelta(microseconds=number)
    return span if sort == "duration" else _EPOCH + span
