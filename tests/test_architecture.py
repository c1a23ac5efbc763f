"""Architecture: the laws of the house, read off the code itself."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "sendensed", "clientd")
NAMES = sorted(
    path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")
)
OUTSIDE = {"asyncio", "random", "socket", "subprocess", "threading", "time"}


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


@cache
def imports(name: str) -> frozenset[str]:
    """Every module that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def packages(name: str) -> set[str]:
    return {module.partition(".")[0] for module in imports(name)}


def within(*folders: str) -> list[str]:
    found = [name for name in NAMES if name.startswith(tuple(f"{folder}/" for folder in folders))]
    assert found
    return found


def test_the_code_is_found():
    assert {"sendensed/app.py", "sendensed/core/job.py", "schemas/telemetry.py", "clientd/app.py"} <= set(NAMES)


def test_every_file_opens_with_what_it_is_for():
    silent = [name for name in NAMES if not re.match(r"[\w-]+: \S", ast.get_docstring(tree(name)) or "")]
    assert not silent


def test_no_file_is_longer_than_300_lines():
    assert not [name for name in NAMES if len((ROOT / name).read_text().splitlines()) > 300]


def test_migrations_are_numbered_one_after_the_other():
    names = sorted(path.name for path in (ROOT / "sendensed/store/migrations").iterdir())
    assert [name[:5] for name in names] == [f"{number:04}_" for number in range(1, len(names) + 1)]


def test_the_wire_knows_nobody_and_does_nothing():
    for name in within("schemas"):
        assert packages(name) <= set(sys.stdlib_module_names) | {"msgspec", "schemas"}, name
        assert not packages(name) & OUTSIDE, name


def test_cores_see_the_standard_library_msgspec_and_the_wire_only():
    for name in within("sendensed/core", "clientd/core"):
        own = name.split("/")[0]
        assert packages(name) <= set(sys.stdlib_module_names) | {"msgspec", "schemas", own}, name
        assert not packages(name) & OUTSIDE, name
        assert {module for module in imports(name) if module.startswith(own) and module != own} <= {
            module for module in imports(name) if module.startswith(f"{own}.core")
        }, name


def test_actors_see_stores_disks_and_hubs_as_protocols():
    parts = ("app", "cli", "net", "store.postgres", "store.memory", "store.bridge", "disk.file", "disk.memory")
    for name in within("sendensed/actors", "clientd/actors"):
        forbidden = tuple(f"{name.split('/')[0]}.{part}" for part in parts)
        assert not [module for module in imports(name) if module.startswith(forbidden)], name


def test_hub_and_client_never_import_each_other():
    assert not [name for name in within("sendensed") if "clientd" in packages(name)]
    assert not [name for name in within("clientd") if "sendensed" in packages(name)]


def test_nothing_below_the_commands_imports_them():
    below = [name for name in NAMES if "/cli/" not in name and not name.endswith("__main__.py")]
    assert not [name for name in below if any(".cli" in module for module in imports(name))]


def test_asyncio_stays_behind_the_bridge():
    foreign = {"asyncio", "asyncpg", "trio_asyncio"}
    assert [name for name in NAMES if packages(name) & foreign] == [
        "sendensed/store/bridge.py",
        "sendensed/store/driver.py",
    ]


def test_channels_are_opened_in_the_map_and_every_one_has_a_bound():
    for name in NAMES:
        opened = [
            node
            for node in ast.walk(tree(name))
            if isinstance(node, ast.Call) and "open_memory_channel" in ast.unparse(node.func)
        ]
        assert not opened or name.endswith("/app.py"), name
        assert not [node for node in opened if "inf" in ast.unparse(node)], name


def test_an_inbox_is_never_closed_by_its_actor():
    for name in NAMES:
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.With | ast.AsyncWith):
                assert "inbox" not in [ast.unparse(item.context_expr) for item in node.items], name


def test_locks_hold_names_versions_and_hashes_only():
    locks = [*ROOT.glob("requirements/*.txt"), ROOT / "sendensed/web/package-lock.json"]
    assert len(locks) == 5
    for lock in locks:
        text = lock.read_text()
        assert "resolved" not in text
        assert not re.search(r"https?:|file:|--index|--extra|--find-links", text)
