"""Documents: what docs/ lists is all that there is: settings, metrics, addresses, parameters, fields, codes."""

import ast
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas import feed
from schemas.job import DiskView, EventView, JobView
from schemas.reading import Health
from schemas.telemetry import DiskBody, TelemetryBody
from sendensed.config import Config
from tests.monitoring.test_monitoring import busy, scrape
from tests.sendensed.test_routes import Hub

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs/api.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
WORD = re.compile(r"`([^`]+)`")
REFUSERS = ("fault", "refuse", "Refusal")


def section(text: str, title: str) -> str:
    """What stands under a heading, with the headings below it."""
    found = re.search(rf"^(#+) {re.escape(title)}$(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[2]


def rows(text: str, columns: int) -> list[list[str]]:
    """The rows of the tables with so many columns, without their headings."""
    cells = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in cells if len(row) == columns]


def words(cell: str) -> list[str]:
    return WORD.findall(cell)


def settings_of(config: msgspec.Struct, within: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name in config.__struct_fields__:
        value = getattr(config, name)
        if isinstance(value, msgspec.Struct):
            found |= settings_of(value, f"{name}.")
        else:
            found[f"{within}{name}"] = list(value) if isinstance(value, tuple) else value
    return found


def test_every_setting_is_documented_with_its_default():
    told = {words(name)[0]: words(default)[0] for name, default, _ in rows(section(OPERATIONS, "Settings"), 3)}
    assert {name: tomllib.loads(f"it = {value}")["it"] for name, value in told.items()} == settings_of(Config())


def test_the_settings_of_the_example_are_the_defaults_where_they_are_commented_out():
    lines = (ROOT / "systemd/examples/sendensed.toml").read_text().splitlines()
    commented = [line.removeprefix("# ") for line in lines if re.match(r"# \w+ = |\[", line)]
    example = tomllib.loads("\n".join(commented))
    defaults = settings_of(Config())
    told = settings_of(msgspec.convert(example, Config))
    assert {name for name, value in told.items() if value != defaults[name]} == {
        "database",
        "access.hosts",
        "tls.certificate",
        "tls.key",
    }


async def test_every_metric_is_documented_with_its_kind(autojump_clock):
    told = {
        words(name)[0].removesuffix("_total"): kind
        for name, kind, *_ in rows(section(OPERATIONS, "Monitoring"), 4)
    }
    hub = Hub()
    async with hub.rig.running():
        await busy(hub)
        families = text_string_to_metric_families((await scrape(hub)).decode())
        assert {family.name: family.type for family in families} == told


async def test_every_address_is_documented():
    table = [route for route in Hub().routes.table if not route.path.startswith("/assets/")]
    told = set(re.findall(r"/[\w{}./-]*", API))
    assert {route.path for route in table} <= told
    assert all(path in told for path in ("/assets/", "/api/v1/feed"))


PARAMETERS = {
    "/api/v1/jobs": ("parameter of `/jobs`", "**A job**"),
    "/api/v1/jobs/{id}/samples": ("`GET /api/v1/jobs/{id}/samples`", "\n"),
    "/api/v1/machines": ("`GET /api/v1/machines`", "\n"),
    "/api/v1/calendar": ("`GET /api/v1/calendar`", "\n"),
    "/api/v1/badge.json": ("`GET /api/v1/badge.svg`", "\n"),
    "/api/v1/feed": ("Query: ", "The hub sends"),
}
"""Where the parameters of an address are told: from here to there. Those of pages are told for all."""


@pytest.mark.parametrize("path", PARAMETERS)
async def test_every_parameter_of_an_address_is_told_where_the_address_is(path):
    first, last = PARAMETERS[path]
    place = API[API.index(first) :].partition(last)[0]
    route = next(route for route in Hub().routes.table if route.path == path)
    told = {word.partition("=")[0] for word in words(place)} | {"limit", "cursor"}
    assert set(route.query.__struct_encode_fields__) <= told


def test_every_field_of_a_job_and_its_disks_is_documented():
    told = {word for name, _ in rows(section(API, "Reading"), 2) for word in words(name)}
    assert set(JobView.__struct_fields__) <= told
    disks = next(text for name, text in rows(section(API, "Reading"), 2) if words(name) == ["disks"])
    assert set(DiskView.__struct_fields__) <= set(words(disks))


def test_every_field_of_an_update_is_documented():
    table = rows(section(API, "Telemetry: `POST /api/v1/telemetry/{job_type}/{job_id}`"), 3)
    assert {word for name, *_ in table for word in words(name)} == set(TelemetryBody.__struct_fields__)
    disks = next(kind for name, kind, _ in table if words(name) == ["disks"])
    assert set(words(disks)) == set(DiskBody.__struct_fields__)


def test_every_part_of_the_hubs_health_and_every_kind_of_event_is_documented():
    health = next(text for name, text in rows(section(API, "Reading"), 2) if "/api/v1/health" in name)
    assert set(Health.__struct_fields__) <= set(words(health))
    events = next(text for name, text in rows(section(API, "Reading"), 2) if name == "`GET /api/v1/jobs/{id}`")
    kinds = re.findall(r"`(\w+)`", EventView.__doc__.partition(";")[0])
    assert set(kinds) <= set(words(events))


def test_every_frame_of_the_feed_is_documented_with_its_fields():
    told = {}
    for shown, _ in rows(section(API, "Live feed: websocket `GET /api/v1/feed`"), 2):
        if '"type"' in shown:
            _, kind, *fields = re.findall(r'"(\w+)"', shown)
            told[kind] = set(fields)
    frames = {frame.__struct_config__.tag: set(frame.__struct_fields__) for frame in feed.Frame.__args__}
    assert told == frames


def test_every_code_of_a_refusal_is_documented_with_its_status():
    told = {(int(status), code) for status, codes, _ in codes_told() for code in words(codes)}
    assert told == codes_in_the_source()


def codes_told() -> list[list[str]]:
    lines = section(API, "Codes").splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if re.match(r"\| \d", line)]


def codes_in_the_source() -> set[tuple[int, str]]:
    found = {(413, "too_large")}
    for path in [*(ROOT / "sendensed").rglob("*.py"), *(ROOT / "schemas").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                found |= codes_of(node)
    return found


def codes_of(call: ast.Call) -> set[tuple[int, str]]:
    """Status and code where the call makes a refusal of constants."""
    name = getattr(call.func, "id", "")
    given = [one.value for one in call.args if isinstance(one, ast.Constant)]
    if name in REFUSERS and len(given) >= 2 and isinstance(given[0], int):
        return {(given[0], given[1])}
    if name != "Invalid":
        return set()
    named = [one.value for one in call.keywords if one.arg == "code"] + call.args[2:3]
    return (
        {(400, one.value) for one in named if isinstance(one, ast.Constant)} or set()
        if named
        else {(400, "invalid")}
    )
