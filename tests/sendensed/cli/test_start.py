"""Start: what a command imports before it can answer. Times differ by machine; what is imported does not."""

import subprocess
import sys

import pytest

from tests.sendensed.cli.conftest import ROOT
from tests.waits import PATIENCE

HEAVY = {"trio", "rich", "httpx", "asyncpg", "structlog", "asyncio", "http.client", "email", "prometheus_client"}
"""Each alone takes longer than a plain read should."""
SPARED = {"urllib.parse", "inspect", "typing_extensions", "shutil"}
"""What a plain read does without: a fifth of what it would import otherwise."""
PROBE = """
import sys
sys.argv = ["sendensed", *{words}]
from sendensed.__main__ import main
try:
    code = main()
except SystemExit as ended:
    code = ended.code
print("\\n".join(["", "modules", *sys.modules]))
sys.exit(code)
"""


def imported(*words: str, hub: str = "") -> set[str]:
    """The modules that are there when the command has ended well."""
    probe = PROBE.format(words=[*words, *(["--hub", hub] if hub else [])])
    said = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert said.returncode == 0, said.stderr
    return set(said.stdout.rpartition("\nmodules\n")[2].split("\n"))


@pytest.mark.parametrize(
    "words",
    ["--help", "--version", "jobs --help", "top --help", "serve --help", "demo --help", "completion bash",
     "completion zsh", "completion fish"],
)  # fmt: skip
def test_help_and_completion_import_nothing_heavy_nor_the_wire(words: str):
    assert not imported(*words.split()) & {*HEAVY, "msgspec", "socket"}


@pytest.mark.parametrize(
    "words",
    ["jobs", "jobs -o json --status running", "job a", "machines", "machine web01", "appliances", "events",
     "export a", "_names jobs"],
)  # fmt: skip
def test_a_plain_read_imports_the_wire_and_a_socket_and_nothing_heavy(hub, words: str):
    hub.send("a", vm_name="web01", status="running")
    modules = imported(*words.split(), hub=hub.address)
    assert not modules & {*HEAVY, *SPARED, "ssl", "encodings.idna"}
    assert {"msgspec", "socket"} <= modules


def test_who_needs_what_a_plain_read_does_without_gets_it(hub):
    hub.send("over", status="completed")
    assert SPARED - {"typing_extensions"} <= imported("watch", "over", hub=hub.address)


def test_the_probe_sees_what_is_heavy(hub):
    hub.send("ended", status="completed")
    assert {"trio"} <= imported("watch", "ended", hub=hub.address) & HEAVY
