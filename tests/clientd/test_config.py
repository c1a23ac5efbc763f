"""Config: the daemon's file changes what it names; what is wrong in it is said with its place."""

import pytest

from clientd import config
from clientd.config import ServeSettings
from clientd.errors import UsageError


def test_without_a_file_the_defaults_hold():
    assert config.load(None) == ServeSettings()


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    path = tmp_path / "clientd.toml"
    path.write_text('hub = "http://h:1"\nat_once = 2\nresume = false\nlook = 5\n')
    assert config.load(path) == ServeSettings(hub="http://h:1", at_once=2, resume=False, look=5.0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("at_onc = 5", "is wrong: at_onc: is not known here: correct its name, or take it out$"),
        ("at_once = 0", "is wrong: at_once: must be a whole number of at least 1: correct it there$"),
        ("at_once = 'many'", "is wrong: at_once: must be a whole number, not text: "),
        ("waiting = 1000000", "is wrong: waiting: must be a whole number of at most 5000: "),
        ("look = inf", "is wrong: look: must be a number of at most 3600: "),
        ("hub = 5", "is wrong: hub: must be text, not a whole number: "),
        ("store_answer = 0", "is wrong: store_answer: must be a number over 0: "),
        ("[jobs]\nat_once = 1", "is wrong: jobs: is not known here: "),
        ("at_once", "is not TOML: "),
        ("a = '\udcff'", "is not TOML: "),
    ],
)
def test_a_mistake_is_named_with_the_file_and_the_key(tmp_path, text, sentence):
    path = tmp_path / "clientd.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=f"^the configuration '{path}' {sentence}"):
        config.load(path)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: ENOENT"):
        config.load(tmp_path / "none.toml")


def test_workers_that_are_said_are_those_of_every_copy_and_0_leaves_the_choice():
    assert config.copy_settings(0) == config.CopySettings()
    said = config.copy_settings(7)
    assert (said.workers, said.remote_workers) == (7, 7)
