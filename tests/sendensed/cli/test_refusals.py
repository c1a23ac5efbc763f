"""Refusals: what is said of a wrong word on the command line, and what to do next."""

import pytest

from clientd.cli import options as of_clientd
from clientd.errors import UsageError


def test_a_token_file_that_is_not_there_is_named_once_with_what_to_do(command, tmp_path):
    said = command("jobs", "--token-file", str(tmp_path / "none"))
    assert said.returncode == 2
    assert said.stderr == (
        f"sendensed: the token file {tmp_path}/none cannot be read: No such file or directory; check its path\n"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory; check --config"),
        ("liste = 1", "unknown field 'liste'; docs/operations.md has the settings"),
        ("listen", "; correct it there"),
    ],
)
def test_a_configuration_that_is_refused_says_where_to_look(command, tmp_path, content, said):
    path = tmp_path / "hub.toml"
    if content is not None:
        path.write_text(content)
    refused = command("serve", "--config", str(path))
    assert refused.returncode == 2
    assert str(path) in refused.stderr
    assert refused.stderr.endswith(f"{said}\n")


def test_an_export_leaves_a_file_that_is_there_as_it_is(command, hub, tmp_path):
    hub.send("one", status="running", vm_name="a")
    path = tmp_path / "kept"
    path.write_text("kept")
    refused = command("export", "one", "--file", str(path))
    assert refused.returncode == 1
    assert "is there already, and stays as it is; name a new file with --file" in refused.stderr
    assert path.read_text() == "kept"


def test_an_address_of_no_hub_is_told_by_an_example():
    with pytest.raises(UsageError, match=r"'foo' is no .* give one like http://localhost:8082 with --hub"):
        of_clientd.hub_url("foo", {})
