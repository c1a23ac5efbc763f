"""The token commands where there is no hub's database; tests/e2e/test_access.py has them beside one."""

import pytest


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("create", "ann", "--role", "read"),
        ("rotate", "ann"),
        ("revoke", "ann"),
        ("link", "ann"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("is_there", [False, True], ids=["missing", "empty"])
def test_a_directory_without_a_database_is_refused_and_left_as_it_is(command, tmp_path, words, is_there):
    state = tmp_path / "wrong"
    if is_there:
        state.mkdir()
    refused = command("token", *words, "--state-dir", str(state))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"{state} holds no hub's database" in refused.stderr
    assert "--state-dir" in refused.stderr
    assert not state.exists() if not is_there else not list(state.iterdir())
