"""What ends a command: its own sentence or its own output, and nothing that merely looks alike."""

import pytest
import trio

from sendensed import errors
from sendensed.__main__ import main
from sendensed.cli import jobs
from sendensed.errors import SendensedError, Unwritable


@pytest.mark.parametrize("error", [SendensedError("why"), KeyboardInterrupt(), Unwritable(32, "Broken pipe")])
async def test_what_a_command_ends_with_comes_out_of_a_nursery_by_itself(error):
    async def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught, errors.unwrapped():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
    assert caught.value is error


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left on device")])
def test_a_pipe_that_breaks_elsewhere_is_not_standard_outputs(monkeypatch, error):
    async def fail() -> None:
        raise error

    async def command() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)

    def run(options) -> int:
        with errors.unwrapped():
            trio.run(command)

    monkeypatch.setattr(jobs, "run", run)
    with pytest.raises(BaseExceptionGroup):
        main(["jobs"])
    monkeypatch.setattr(jobs, "run", lambda options: trio.run(fail))
    with pytest.raises(type(error)):
        main(["jobs"])
