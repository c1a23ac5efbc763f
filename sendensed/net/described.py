"""Described: the hub's addresses as OpenAPI and its feed as AsyncAPI, made of routes and wire types."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, get_args

import msgspec

from schemas import __version__, codec, feed
from schemas.fault import FaultBody
from schemas.ids import JOB_ID_BYTES
from schemas.query import FeedQuery
from sendensed.net.http import JSON, Request, Response
from sendensed.net.route import Route

_SCHEMAS = "#/components/schemas/{name}"
_SLUG = {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,31}$"}
_NAME = {"type": "string", "minLength": 1}
_VALUES = {
    "job_type": _SLUG,
    "job_id": {**_NAME, "maxLength": JOB_ID_BYTES},
    "id": {**_NAME, "maxLength": JOB_ID_BYTES},
}
"""What may stand in the place of a `{name}` of a path; any text where none is named."""
_ANYWHERE = {
    "400": "Malformed: the request, its path, its parameters or its body.",
    "403": "A foreign host or origin, no right to this, or another appliance's.",
    "408": "The request came too slowly.",
    "413": "The body is too large.",
    "414": "The address is too long.",
    "415": "The body is not plain JSON.",
    "417": "The only expectation met is 100-continue.",
    "431": "The head is too large.",
    "500": "A bug; its id is in the hub's log.",
    "503": "The hub cannot now; Retry-After says when.",
}
_WITH_TOKEN = {
    "401": "No token, or none that is valid any more.",
    "429": "Too fast, or too many unknown tokens; Retry-After says when.",
}
_OF_SOME = {
    "401": "The link or token is over, or not known.",
    "404": "There is no such thing.",
    "409": "It is not in a state for this.",
    "426": "This address speaks websocket only.",
}
"""Refusals that any address may be answered, those where a token is asked for, and what an address's own mean."""
_WITH_RETRY = ("429", "503")
_UNCHANGED = "304"  # has no body
_RETRY_AFTER = {
    "description": "Seconds until it is worth asking again.",
    "schema": {"type": "integer", "minimum": 1},
}
"""Refusals that say when to come back."""
_INFO = {
    "title": "Sendense telemetry",
    "version": __version__,
    "description": "Times are UTC, sizes bytes, speeds bytes per second.",
}


class Described:
    """Answers with both documents. `table` is given once it is whole; it holds these routes too."""

    def __init__(self) -> None:
        self.table: tuple[Route, ...] = ()
        self.routes = (
            Route("GET", "/openapi.json", self._openapi, "public", media="application/json"),
            Route("GET", "/asyncapi.json", self._asyncapi, "public", media="application/json"),
        )

    async def _openapi(self, request: Request, values: Sequence[str]) -> Response:
        return Response(200, self._open_document)

    async def _asyncapi(self, request: Request, values: Sequence[str]) -> Response:
        return Response(200, self._async_document)

    @cached_property
    def _open_document(self) -> bytes:
        return codec.encode(openapi(self.table))

    @cached_property
    def _async_document(self) -> bytes:
        return codec.encode(asyncapi())


def openapi(table: Iterable[Route]) -> dict[str, Any]:
    """Every route of the table."""
    table = tuple(table)
    kinds = {FaultBody: None} | {kind: None for route in table for kind in (route.takes, route.says) if kind}
    references, components = msgspec.json.schema_components(list(kinds), ref_template=_SCHEMAS)
    known = dict(zip(kinds, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, known)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, known: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    told = _content(known[route.says]) if route.says else {route.media: {}} if route.media else {}
    answers: dict[str, Any] = {}
    for status in route.statuses:
        content = {"content": told} if told and status != _UNCHANGED else {}
        answers[status] = {"description": "As asked.", **content}
    own = {status: _OF_SOME[status] for status in route.refuses}
    for status, said in (own | _ANYWHERE | (_WITH_TOKEN if route.need != "public" else {})).items():
        answers[status] = _refusal(status, said, known[FaultBody], answers.get(status), is_page=route.page)
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{route.path.replace('/', '_').replace('{', '').replace('}', '')}",
        "parameters": [*_path_parameters(route.path), *(_query_parameters(route.query) if route.query else ())],
        "responses": answers,
        "security": [] if route.need == "public" else [{"token": [route.need]}],
    }
    if route.takes:
        operation["requestBody"] = {"required": True, "content": _content(known[route.takes])}
    return operation


def _refusal(
    status: str, said: str, fault: dict[str, Any], asked: dict[str, Any] | None, *, is_page: bool
) -> dict[str, Any]:
    """A refusal; where what was `asked` for may come with the same status, the answer is either of them."""
    told = {"description": said, "content": _content(fault)}
    if asked is not None:
        either = {"anyOf": [asked["content"][JSON]["schema"], fault]}
        told = {"description": f"As asked. Or: {said}", "content": _content(either)}
    if status in _WITH_RETRY:  # the page that was not built, and what was asked for, come without
        told["headers"] = {"Retry-After": {**_RETRY_AFTER, "required": asked is None and not is_page}}
    return told


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {JSON: {"schema": schema}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": _VALUES.get(name, _NAME)} for name in names]


def _query_parameters(kind: type[msgspec.Struct]) -> list[dict[str, Any]]:
    [_], components = msgspec.json.schema_components([kind], ref_template=_SCHEMAS)
    found = []
    for name, schema in components[kind.__name__]["properties"].items():
        several = schema.pop("anyOf", None)  # absent is told by leaving it out, not by null
        schema |= next((one for one in several or () if one.get("type") != "null"), {})
        schema = {word: value for word, value in schema.items() if word != "default" or value is not None}
        purpose = schema.pop("description", "")
        found.append({"name": name, "in": "query", "description": purpose, "schema": schema})
    return found


def asyncapi() -> dict[str, Any]:
    """The live feed: what the hub sends to a viewer."""
    frames = get_args(feed.Frame)
    references, components = msgspec.json.schema_components([*frames, FeedQuery], ref_template=_SCHEMAS)
    names = [frame.__name__ for frame in frames]
    return {
        "asyncapi": "3.0.0",
        "info": _INFO,
        "channels": {
            "feed": {
                "address": "/api/v1/feed",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
                "bindings": {"ws": {"method": "GET", "query": references[-1], "bindingVersion": "0.1.0"}},
            }
        },
        "operations": {"watch": {"action": "send", "channel": {"$ref": "#/channels/feed"}}},
        "components": {
            "messages": {
                name: {"contentType": "application/json", "payload": reference}
                for name, reference in zip(names, references, strict=False)
            },
            "schemas": components,
        },
    }
