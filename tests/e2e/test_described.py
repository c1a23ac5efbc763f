"""The running hub held against its own description: thousands of odd requests, each answered as described."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_access import Guarded
from tests.waits import PATIENCE

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "unsupported_method,response_headers_conformance"
)

UNHURRIED = "[writer]\nlag = 60\n"
"""A hub that gets no time of the machine takes updates all the same, where none may be answered with 503."""


@pytest.fixture
def guarded(open_directory):
    hub = Guarded(open_directory, settings=UNHURRIED)
    yield hub
    hub.stop()


ROLES = {"nobody": 200, "push": 200, "operate": 500}
"""Who asks a hub with tokens, and how many cases there are at the least."""


def asked(url: str, folder: Path, *more: str, checks: str = CHECKS, examples: int = 20) -> int:
    """Has the hub asked all that its description allows, and what it does not; returns how many cases passed."""
    command = [Path(sys.executable).with_name("st"), "run", f"{url}/openapi.json", "--checks", checks]
    command += [
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        str(examples),
        "--seed",
        "1",
        "--no-color",
    ]
    command += ["--include-path-regex", "^/(api/|metrics|openapi|asyncapi)", "--exclude-path", "/api/v1/feed"]
    command += ["--suppress-health-check", "all", "--request-timeout", "60", "--continue-on-failure"]
    command += ["--generation-database", "none", *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=4 * PATIENCE)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert cases, done.stdout
    assert cases[1] == cases[2]
    return int(cases[1])


def test_whatever_is_asked_the_hub_answers_as_its_openapi_says(make_hub, tmp_path):
    hub = make_hub(settings=f"[access]\nrate = 1000000\nburst = 1000000\n{UNHURRIED}")
    for number in range(3):
        hub.post(f"backup-{number}", vm_name="web/01", bytes_transferred=number, total_bytes=9, sender="x/1")
    assert asked(hub.url, tmp_path) > 1000
    assert hub.get("/api/v1/health")["ready"]


@pytest.mark.parametrize("role", ROLES)
def test_whoever_asks_a_hub_with_tokens_is_answered_as_its_openapi_says(guarded, tmp_path, role):
    """Statuses are described one by one: none may come that is not."""
    shown = []
    if role != "nobody":
        token = guarded.made("asker", role).read_text().strip()
        shown = ["--header", f"Authorization: Bearer {token}"]
    assert asked(guarded.url, tmp_path, *shown, examples=5) > ROLES[role]
