"""Query: the parameters of an address, read strictly. Each raises Invalid (400) naming the parameter."""

from schemas import ids
from schemas.fault import Invalid
from schemas.job import State

STATES: tuple[str, ...] = State.__args__  # type: ignore[attr-defined]


def states(value: str) -> set[str]:
    """The states of `running,stalled`."""
    found = set(value.split(","))
    if unknown := found.difference(STATES):
        raise Invalid(f"status: '{min(unknown)[:50]}' is none of {', '.join(STATES)}", "status")
    return found


def job_type(value: str) -> str:
    """A job type."""
    if problem := ids.job_type_problem(value):
        raise Invalid(f"type: {problem}", "type")
    return value


def whole(name: str, value: str, least: int, most: int) -> int:
    """A whole number within bounds."""
    if value.isascii() and value.isdigit() and len(value) < 20 and least <= int(value) <= most:
        return int(value)
    raise Invalid(f"{name}: must be a whole number from {least} to {most}", name)
