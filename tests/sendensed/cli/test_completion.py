"""Completion: real shells, a real hub behind the names, and a hub that does not answer."""

import shlex
import socket
import subprocess
import sys

import pytest

from sendensed.cli import completion, parser
from sendensed.cli.options import STATES
from tests.sendensed.cli.conftest import ROOT
from tests.sendensed.cli.terminal import Terminal
from tests.waits import PATIENCE

BASH = """
source "$SCRIPT"
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
compopt() {{ :; }}  # there is no completion under way that it could change
_sendensed
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
PATIENT = """#!{python}
import os
import sys
from sendensed.__main__ import main
from sendensed.cli import names
names._PATIENCE = float(os.environ.get("NAMES_PATIENCE", "60"))
sys.exit(main())
"""
"""A `sendensed` that waits for the names longer than who pressed Tab would: a machine may have much else to do."""
ZSH = """
autoload -U compinit && compinit -u -D
source $SCRIPT
PROMPT='ready> ' LISTMAX=1000
bindkey -e
"""


@pytest.fixture(scope="module", autouse=True)
def fleet(hub):
    hub.send("backup-web01-1", vm_name="web01", status="running")
    hub.send("backup-web01 2", vm_name="web 02", status="completed")
    hub.send("other", vm_name="mail", status="failed", error="x")


@pytest.fixture
def shell_environment(hub, environment, tmp_path):
    """A `sendensed` on the PATH, and the hub to ask."""
    program = tmp_path / "sendensed"
    program.write_text(PATIENT.format(python=sys.executable))
    program.chmod(0o755)
    path = f"{tmp_path}:{environment['PATH']}"
    return {
        **environment,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "SENDENSE_HUB": hub.address,
        "HOME": str(tmp_path),
    }


@pytest.fixture
def script(shell_environment, tmp_path):
    """The script of a shell, in a file."""

    def write(shell: str) -> str:
        path = tmp_path / f"completion.{shell}"
        words = [sys.executable, "-m", "sendensed", "completion", shell]
        path.write_bytes(subprocess.run(words, cwd=ROOT, env=shell_environment, check=True, stdout=-1).stdout)
        return str(path)

    return write


@pytest.fixture
def complete(script, shell_environment):
    """What bash or fish offer for a line that ends at the cursor."""

    def ask(shell: str, line: str, **more: str) -> list[str]:
        environment = {**shell_environment, "SCRIPT": script(shell), **more}
        if shell == "bash":
            words = ["bash", "--norc", "-c", BASH.format(words=line if not line.endswith(" ") else f"{line}''")]
        else:
            words = ["fish", "--no-config", "-c", f"source $SCRIPT; complete -C {shlex.quote(line)}"]
        said = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert (said.returncode, said.stderr) == (0, "")
        return [one.partition("\t")[0] for one in said.stdout.splitlines() if one]

    return ask


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_commands_options_and_values_are_offered(complete, shell: str):
    commands = [one.path for one in completion.commands_of(parser.parser()) if " " not in one.path]
    assert set(complete(shell, "sendensed ")) - {"--help", "--version"} == set(commands)
    assert complete(shell, "sendensed ma") == ["machine", "machines"] or complete(shell, "sendensed ma") == [
        "machines",
        "machine",
    ]
    assert set(complete(shell, "sendensed jobs --s")) == {"--status", "--since", "--sort-by"}
    assert set(complete(shell, "sendensed jobs --status ")) == set(STATES)
    assert complete(shell, "sendensed wait --for comp") == ["completed"]
    assert set(complete(shell, "sendensed token ")) - {"--help"} == {"create", "list", "rotate", "revoke", "link"}
    assert complete(shell, "sendensed token create --role adm") == ["admin"]
    assert set(complete(shell, "sendensed completion ")) == {"bash", "zsh", "fish"}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_ids_and_names_are_asked_of_the_hub(complete, shell: str, hub):
    blank = {"bash": "backup-web01\\ 2", "fish": "backup-web01 2"}[shell]
    assert set(complete(shell, "sendensed job ")) == {"backup-web01-1", blank, "other"}
    assert complete(shell, "sendensed cancel oth") == ["other"]
    assert complete(shell, f"sendensed wait --hub {hub.address} oth") == ["other"]
    assert complete(shell, "sendensed machine mai") == ["mail"]
    assert complete(shell, "sendensed jobs --machine mai") == ["mail"]


def test_bash_completes_ids_with_colons_at_its_own_prompt(script, shell_environment, hub):
    hub.send("vm:web:01/2026-11-23T02:00", status="completed")
    environment = {**shell_environment, "PS1": "ready> ", "INPUTRC": "/dev/null"}
    with Terminal(["bash", "--norc", "--noprofile", "-i"], env=environment, columns=160) as terminal:
        terminal.type(f"source {script('bash')}; PS1='now> '\n")
        terminal.wait_for(r"now> $")
        whole = "vm:web:01/2026-11-23T02:00"
        for typed in (
            "sendensed job vm",
            "sendensed job vm:",
            "sendensed job vm:we",
            "sendensed job vm:web:01/2026-11-23T02:0",
        ):
            terminal.forget()
            terminal.type(f"{typed}\t")
            terminal.wait_for(rf"sendensed job {whole} $")
            terminal.type("\x15")
        terminal.forget()
        terminal.type(f"sendensed job --hub {hub.address} oth\t")
        terminal.wait_for(rf"sendensed job --hub {hub.address} other $")
        terminal.type("\x15sendensed wait --for comp\t")
        terminal.wait_for("--for completed $")


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_without_a_hub_nothing_is_offered_and_nothing_said(complete, shell: str):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        line = f"sendensed job --hub http://127.0.0.1:{silent.getsockname()[1]} oth"
        assert complete(shell, line, NAMES_PATIENCE="0.2") == []


def test_zsh_offers_the_same_at_its_own_prompt(script, shell_environment):
    environment = {**shell_environment, "SCRIPT": script("zsh"), "PROMPT_EOL_MARK": ""}
    with Terminal(["zsh", "-f", "-i"], env=environment, columns=160) as terminal:
        terminal.type(ZSH.strip().replace("\n", "; ").replace("$SCRIPT", environment["SCRIPT"]) + "\n")
        terminal.wait_for(r"ready> $")
        for typed, offered in (
            ("sendensed mach\t\t", "machines +-- list machines"),
            ("sendensed jobs --sta\t", "sendensed jobs --status"),
            ("sendensed wait --for comp\t", "--for completed"),
            ("sendensed token create --role adm\t", "--role admin"),
            ("sendensed job oth\t", "sendensed job other"),
            ("sendensed machine mai\t", "sendensed machine mail"),
            ("sendensed job backup-web01\\ \t", r"job backup-web01\\ 2"),
        ):
            terminal.forget()
            terminal.type(typed)
            terminal.wait_for(offered)
            terminal.type("\x15")  # the line is cleared


def test_the_parser_of_today_is_in_every_script(script):
    for shell in ("bash", "zsh", "fish"):
        with open(script(shell)) as file:
            said = file.read()
        for command in completion.commands_of(parser.parser()):
            assert command.path.split()[-1] in said
            for word in command.options:
                assert all(name.lstrip("-") in said for name in word.names), (shell, command.path, word)
