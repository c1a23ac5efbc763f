"""Several: one thing done to each of several names, and one exit code for all."""

from collections.abc import Callable, Sequence

from sendensed.cli import output
from sendensed.errors import Denied, HubUnreachable, Partial, SendensedError


def each(names: Sequence[str], do: Callable[[str], None], done: str) -> int:
    """Does it to each; 0 where all went well. A name that fails holds the others up for nothing.

    Raises the one error where there is one name, or the same kind for all; Partial where some went well; at once
    what would meet all the others as well. `done` is the past participle, for the sentence.
    """
    failed: list[SendensedError] = []
    for number, name in enumerate(names):
        try:
            do(name)
        except (HubUnreachable, Denied) as error:
            if number > len(failed):
                raise Partial(f"{number - len(failed)} of {len(names)} {done}, then: {error}") from None
            raise
        except SendensedError as error:
            if len(names) == 1:
                raise
            before = "" if f"'{name}'" in str(error) else f"{name}: "
            output.say(f"sendensed: {before}{error}")
            failed.append(error)
    if not failed:
        return 0
    if len(failed) < len(names):
        raise Partial(
            f"{len(names) - len(failed)} of {len(names)} {done}; what is wrong with the others stands above"
        )
    kinds = {type(error) for error in failed}
    raise (kinds.pop() if len(kinds) == 1 else SendensedError)(
        f"none of {len(names)} {done}; the reasons stand above"
    )
