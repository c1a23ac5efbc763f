"""Config and command line: what is wrong is said as a sentence that names it, and nothing is started."""

from pathlib import Path

import pytest

from sendensed import config, errors
from sendensed.__main__ import main
from sendensed.cli.running import address_of
from sendensed.cli.serve import state_dir_of


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hub.toml"
    path.write_text(text)
    return path


def test_without_a_file_the_defaults_are_those_of_the_contract():
    settings = config.load(None)
    assert (settings.reaper.stall_after, settings.reaper.fail_after, settings.reaper.period) == (60, 300, 15)
    assert (settings.reaper.beat, settings.reaper.gap, settings.reaper.step) == (5, 15, 5)
    assert (settings.reaper.gone_after, settings.reaper.unmoved_after) == (900, 600)
    assert (settings.reaper.mass_jobs, settings.reaper.mass_share, settings.reaper.mass_hold) == (3, 0.5, 900)
    assert (settings.history.events, settings.history.samples, settings.history.whole) == (90, 90, 7)
    assert settings.history.period == 3_600
    assert (settings.answer_deadline, settings.writer.lag, settings.writer.patience) == (8.5, 1, 6)
    assert (settings.feed.heartbeat, settings.feed.write_deadline, settings.feed.viewers) == (5, 10, 1_000)
    assert settings.listen == "127.0.0.1:8082"


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    settings = config.load(written(tmp_path, "[reaper]\nstall_after = 2\nfail_after = 4.5\n"))
    assert (settings.reaper.stall_after, settings.reaper.fail_after) == (2, 4.5)
    assert settings.writer == config.Writer()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("reaper = 5", "reaper"),
        ("[reaper]\nstall = 5", "stall"),
        ("[reaper]\nstall_after = 'long'", "reaper.stall_after"),
        ("[writer]\nbatch = 0", "writer.batch"),
        ("[reaper]\nstall_after = 10\nfail_after = 10", "reaper.fail_after"),
        ("[reaper]\nfail_after = inf", "reaper.fail_after"),
        ("[reaper]\nbeat = 20", "reaper.beat"),
        ("hung_after = 14", "hung_after"),
        ("[tls]\ncertificate = 'hub.pem'", "tls.key"),
        ("legacy_listen = '127.0.0.1:8083'", "legacy_appliance"),
        ("legacy_appliance = 'old'", "legacy_listen"),
        ("not toml", "is not TOML"),
    ],
)
def test_a_mistake_in_the_file_names_the_file_and_the_key(tmp_path, text: str, words: str):
    path = written(tmp_path, text)
    with pytest.raises(errors.ConfigError, match=words) as caught:
        config.load(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(errors.ConfigError, match="No such file"):
        config.load(tmp_path / "none.toml")


@pytest.mark.parametrize("listen", ["8082", "host", "host:port", "host:70000", ":1", ""])
def test_an_address_that_is_none_is_refused(listen: str):
    with pytest.raises(errors.ConfigError, match="HOST:PORT"):
        address_of(listen)


def test_addresses_are_taken_apart():
    assert address_of("127.0.0.1:0") == ("127.0.0.1", 0)
    assert address_of("[::1]:8082") == ("::1", 8082)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--open", "--listen", "0.0.0.0:8082"], "loopback"),
        (["serve", "--listen", "0.0.0.0:8082"], "--allow-plaintext"),
        (["serve", "--listen", "hub.example:8082"], "TLS"),
        (["serve", "--open", "--config", "none.toml"], "none.toml"),
    ],
)
def test_a_hub_that_may_not_start_says_why_and_exits_2(capsys, arguments: list[str], words: str):
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_a_database_address_that_is_none_is_said_without_a_stack(capsys, tmp_path):
    arguments = ["serve", "--open", "--listen", "127.0.0.1:0", "--database", "postgresql://[::1/db"]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "Invalid IPv6 URL" in said
    assert "Traceback" not in said


def test_a_hub_that_is_not_there_is_said_with_exit_8(capsys):
    assert main(["jobs", "--hub", "http://127.0.0.1:9"]) == 8
    assert "no hub answers at http://127.0.0.1:9" in capsys.readouterr().err
    assert main(["watch", "--json", "--hub", "http://127.0.0.1:9"]) == 8
    assert "no live feed" in capsys.readouterr().err


def test_the_state_directory_is_the_one_named_else_the_services(monkeypatch, tmp_path):
    monkeypatch.setenv("STATE_DIRECTORY", "/run/given:/other")
    assert state_dir_of(config.Config(state_dir="/named")) == Path("/named")
    assert state_dir_of(config.Config()) == Path("/run/given")


def test_a_bug_beside_a_known_error_is_not_hidden():
    group = ExceptionGroup("both", [errors.ConfigError("known"), KeyError("bug")])
    with pytest.raises(ExceptionGroup), errors.unwrapped():
        raise group
    with pytest.raises(errors.ConfigError), errors.unwrapped():
        raise ExceptionGroup("one", [ExceptionGroup("inner", [errors.ConfigError("known")])])
