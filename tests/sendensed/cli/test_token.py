"""The token commands where there is no hub's database; tests/e2e/test_access.py has them beside one."""

import pytest

from sendensed.cli.running import url_for_people
from sendensed.config import Access, Config, Tls


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


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:8082"),
        ({"listen": "[::1]:99"}, "http://[::1]:99"),
        ({"listen": "0.0.0.0:8082"}, "http://127.0.0.1:8082"),
        ({"listen": "10.1.2.3:8082"}, "http://10.1.2.3:8082"),
        ({"listen": "0.0.0.0:443", "access": Access(hosts=("hub.example", "hub"))}, "http://hub.example:443"),
        ({"access": Access(hosts=("hub.example",))}, "http://127.0.0.1:8082"),
        ({"access": Access(hosts=("hub.example",), origins=("https://hub.example",))}, "https://hub.example"),
        ({"listen": "[::]:8082", "tls": Tls("c", "k"), "access": Access(hosts=("hub",))}, "https://hub:8082"),
    ],
)
def test_a_link_leads_to_where_people_ask_for_the_hub(settings, url):
    assert url_for_people(Config(**settings)) == url
