"""Mistake: what msgspec says of a file of ours, in the words of whoever wrote it, with what to do."""

import re

from schemas.words import count

_PLACE = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")
_FIELD = re.compile(r"^Object (?P<what>missing required|contains unknown) field `(?P<field>.*?)`")
_VALUE = re.compile(
    r"^Expected `(?P<kinds>[^`]*)`"
    r"(?: (?P<length>of length )?(?P<sign>[<>]=?) (?P<limit>\S+))?(?:, got `(?P<got>.*)`)?$"
)
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
_SIGNS = {">=": "of at least ", "<=": "of at most ", ">": "over ", "<": "below "}


class Mistake(ValueError):
    """What a file cannot say: `path` is the place in it, '' for the whole; the text is the sentence's end.

    `then` is what to do about it, '' where `problem` ends with that itself.
    """

    def __init__(self, path: str, problem: str, then: str = "correct it there") -> None:
        super().__init__(": ".join(part for part in (path, problem, then) if part))
        self.path = path


def of(said: str, choices: str = "") -> Mistake:
    """The mistake behind a `msgspec.ValidationError`; `choices` are the words that an enumeration may have."""
    place = _PLACE.search(said)
    path = place["path"] if place else ""
    told = said[: place.start()] if place else said
    if field := _FIELD.match(told):
        whole = f"{path}.{field['field']}" if path else field["field"]
        if field["what"].startswith("missing"):
            return Mistake(whole, "is missing", "add it there")
        return Mistake(whole, "is not known here", "correct its name, or take it out")
    if value := _VALUE.match(told):
        return Mistake(path, _must(value))
    return Mistake(path, f"must be one of {choices}" if choices else told.replace("`", "'"))


def _must(value: re.Match[str]) -> str:
    kinds = [_KINDS.get(kind, kind) for kind in value["kinds"].split(" | ") if kind != "null"]
    must = f"must be {' or '.join(kinds)}"
    if value["sign"]:
        limit, sign = value["limit"], _SIGNS[value["sign"]]
        if value["length"]:
            limit = count(int(limit), "character" if kinds == ["text"] else "item")
        must += f" {sign}{limit.removesuffix('.0')}"
    got = value["got"]
    return must if got is None else f"{must}, not {_KINDS.get(got, got)}"
