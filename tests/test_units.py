"""Units: systemd itself finds nothing wrong with what we ship, and little exposed; the examples are understood."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from clientd import config as client
from sendensed import config as hub
from tests.waits import PATIENCE

SYSTEMD = Path(__file__).parents[1] / "systemd"
UNITS = {"clientd": 2.0, "sendensed": 1.5}
"""Services, and how exposed each may be."""


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_understood_whole(name, tmp_path):
    unit = (SYSTEMD / f"{name}.service").read_text()
    installed = tmp_path / f"{name}.service"
    installed.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={Path(sys.executable).with_name(name)}", unit))
    said = run("systemd-analyze", "verify", "--man=no", installed)
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize(("name", "most"), UNITS.items())
def test_a_unit_exposes_little(name, most):
    said = run("systemd-analyze", "security", "--offline=true", SYSTEMD / f"{name}.service")
    level = re.search(rf"Overall exposure level for {name}.service: ([\d.]+)", said.stdout)
    assert level is not None, said.stderr
    assert float(level[1]) <= most


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_a_command_that_there_is_with_options_that_there_are(name):
    [line] = re.findall(
        rf"(?m)^ExecStart=/opt/sendense/bin/{name} (\S+)(.*)$", (SYSTEMD / f"{name}.service").read_text()
    )
    said = run(Path(sys.executable).with_name(name), line[0], "--help")
    for option in re.findall(r"--[\w-]+", line[1]):
        assert option in said.stdout


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_of_the_group_that_may_read_its_settings(name):
    unit = (SYSTEMD / f"{name}.service").read_text()
    assert f"--config /etc/sendense/{name}.toml" in unit
    [groups] = re.findall(r"(?m)^SupplementaryGroups=(.*)$", unit)
    assert "sendense" in groups.split()


@pytest.mark.parametrize(("name", "convert"), [("clientd", client.convert), ("sendensed", hub.convert)])
def test_an_example_holds_the_defaults_and_nothing_unknown(name, convert):
    text = (SYSTEMD / f"examples/{name}.toml").read_text()
    convert(tomllib.loads(text), name)
    all_told = re.sub(r"(?m)^# (?=\w+ = )", "", text)
    told = convert(tomllib.loads(re.sub(r"(?m)^(database|hosts|certificate|key|hub) = .*$", "", all_told)), name)
    assert told == convert({}, name)
    convert(tomllib.loads(all_told), name)


def test_the_group_and_the_folder_are_made_as_their_files_say(tmp_path):
    for kind in ("sysusers", "tmpfiles"):
        shutil.copytree(SYSTEMD / f"{kind}.d", tmp_path / f"usr/lib/{kind}.d")
    (tmp_path / "etc/sendense").mkdir(parents=True)
    (tmp_path / "etc/sendense/clientd.token").touch(mode=0o644)
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    said = run("systemd-sysusers", f"--root={tmp_path}", tmp_path / "usr/lib/sysusers.d/sendense.conf")
    assert said.returncode == 0, said.stderr
    group = re.search(r"(?m)^sendense:\S*?:(\d+):", (tmp_path / "etc/group").read_text())
    said = run("systemd-tmpfiles", "--create", f"--root={tmp_path}", tmp_path / "usr/lib/tmpfiles.d/sendense.conf")
    assert said.returncode == 0, said.stderr
    folder = (tmp_path / "etc/sendense").stat()
    assert (folder.st_mode & 0o7777, folder.st_gid) == (0o750, int(group[1]))
    assert (tmp_path / "etc/sendense/clientd.token").stat().st_mode & 0o7777 == 0o600
