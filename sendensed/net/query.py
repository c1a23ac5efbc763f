"""Query: what stands behind the '?' of an address, read strictly into its type of `schemas.query`."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from schemas.fault import Invalid
from sendensed.net.http import split_query

T = TypeVar("T", bound=msgspec.Struct)

_PLACE = re.compile(r" - at `\$\.(?P<name>\w+)[^`]*`$")


def read(text: str, kind: type[T]) -> T:
    """The query as `kind`; names that it does not know are ignored, as fields of a body are.

    A parameter that takes several values takes them repeated, or with commas between. Of any other that stands
    twice the last counts. Raises Invalid (400) naming the parameter.
    """
    several = _several(kind)
    said: dict[str, str | list[str]] = {}
    for name, value in split_query(text):
        if name not in several:
            said[name] = value
        elif isinstance(known := said.setdefault(name, []), list):
            known.extend(value.split(",") if several[name] else [value])
    try:
        return msgspec.convert(said, kind, strict=False)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        name = place["name"] if place else ""
        problem = str(error)[: place.start()] if place else str(error)
        allowed = _allowed(kind).get(name)
        listed = f"; it may be one of: {', '.join(allowed)}" if allowed else ""
        raise Invalid(f"{name}: {problem.replace('`', '')}{listed}", name) from None


@cache
def _allowed(kind: type[msgspec.Struct]) -> dict[str, list[str]]:
    """The values of the parameters that take certain words alone."""
    return {name: list(_words(hint)) for name, hint in get_type_hints(kind).items()}


def _words(hint: object) -> Iterator[str]:
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    else:
        for inner in get_args(hint):
            yield from _words(inner)


@cache
def _several(kind: type[msgspec.Struct]) -> dict[str, bool]:
    """The parameters that take several values, and whether commas part them: ids may hold commas."""
    hints = get_type_hints(kind)
    return {name: name != "job" for name, hint in hints.items() if get_origin(hint) is tuple}
