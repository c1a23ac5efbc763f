"""Units: systemd itself finds nothing wrong with what we ship, and little exposed."""

import re
import subprocess
import sys
from pathlib import Path

UNIT = Path(__file__).parents[1] / "systemd/clientd.service"


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_client_s_unit_is_understood_whole(tmp_path):
    installed = tmp_path / "clientd.service"
    here = Path(sys.executable).with_name("clientd")
    installed.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={here}", UNIT.read_text()))
    said = analyze("verify", "--man=no", installed)
    assert (said.returncode, said.stderr) == (0, "")


def test_the_client_s_unit_exposes_little():
    said = analyze("security", "--offline=true", UNIT)
    level = re.search(r"Overall exposure level for clientd.service: ([\d.]+)", said.stdout)
    assert level is not None, said.stderr
    assert float(level[1]) <= 2.0
