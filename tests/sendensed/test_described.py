"""Described: OpenAPI and AsyncAPI say what the hub does, no less and no more."""

import json
from typing import get_args

import pytest
import trio
from jsonschema_rs import Draft202012Validator
from trio.testing import wait_all_tasks_blocked

from schemas import codec, feed
from tests.sendensed.test_routes import Hub, Socket


async def document(hub: Hub, name: str) -> dict:
    answer = await hub.ask("GET", f"/{name}.json")
    assert (answer.status, answer.content_type) == (200, "application/json")
    return json.loads(answer.body)


def references(value) -> set[str]:
    """Every `$ref` in a document."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(one) for one in value.values()))
    return set().union(*(references(one) for one in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
async def test_every_reference_leads_somewhere(autojump_clock, name):
    described = await document(Hub(), name)
    found = references(described)
    assert found
    for reference in found:
        place = described
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


async def test_every_route_of_the_table_is_in_the_document_and_nothing_else(autojump_clock):
    hub = Hub()
    described = await document(hub, "openapi")
    told = {(method.upper(), path) for path, operations in described["paths"].items() for method in operations}
    assert told == {(route.method, route.path) for route in hub.routes.table}


async def test_each_operation_names_its_parameters_its_right_and_its_answer(autojump_clock):
    hub = Hub()
    paths = (await document(hub, "openapi"))["paths"]
    names = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(names) == len(set(names))
    jobs = paths["/api/v1/jobs"]["get"]
    assert {"limit", "cursor", "sort", "from", "to", "q"} <= {one["name"] for one in jobs["parameters"]}
    assert jobs["security"] == [{"token": ["read"]}]
    assert all("anyOf" not in one["schema"] for one in jobs["parameters"])
    for route in hub.routes.table:
        operation = paths[route.path][route.method.lower()]
        assert bool(operation["security"]) == (route.need != "public")
        if (
            route.path.startswith("/api/")
            and route.method == "GET"
            and "feed" not in route.path
            and not route.media
        ):
            assert "schema" in operation["responses"]["200"]["content"]["application/json"], route.path
        if route.method == "POST" and "{id}" not in route.path and "logout" not in route.path:
            assert "requestBody" in operation, route.path


def test_the_first_frame_tells_the_feeds_version():
    told = json.loads(codec.encode(feed.Hello(hub="hub-1", heartbeat=5)))
    assert told == {"type": "hello", "hub": "hub-1", "heartbeat": 5, "protocol": 1}


async def test_the_frames_of_the_feed_are_as_described(autojump_clock):
    hub = Hub()
    described = await document(hub, "asyncapi")
    messages = described["components"]["messages"]
    assert set(messages) == {frame.__name__ for frame in get_args(feed.Frame)}
    components = {"components": {"schemas": described["components"]["schemas"]}}
    async with hub.rig.running():
        await hub.rig.send("a", 1, vm_name="web")
        hub.fanout.publish((await hub.rig.committed.take()).values())
        frames = []
        for query in ("", "?since=0", "?since=99"):  # no position, one to go on from, one that is not known
            socket = Socket()
            await (await hub.ask("GET", f"/api/v1/feed{query}")).run(socket)
            frames += socket.frames
        socket = Socket()
        async with trio.open_nursery() as nursery:
            nursery.start_soon((await hub.ask("GET", "/api/v1/feed")).run, socket)
            await wait_all_tasks_blocked()
            hub.fanout.close()
        frames += socket.frames
    assert {type(frame) for frame in frames} == set(get_args(feed.Frame))
    for frame in frames:
        payload = messages[type(frame).__name__]["payload"]
        Draft202012Validator({**payload, **components}).validate(json.loads(codec.encode(frame)))
