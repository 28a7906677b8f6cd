"""The API of tokens and people, in JSON: its routes, and how it answers."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.callers import Callers
from runtime.access.exchange import exchange_of
from runtime.access.people import openapi
from runtime.access.people.asking import Asking
from runtime.access.people.tokens import RefusedError, Tokens
from runtime.access.responses import answer, answer_error
from runtime.access.rules import bodies
from runtime.errors import UserError
from runtime.tokens.listing import time

_LARGEST = 4096
JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_Query = Mapping[str, str]
_Answer = tuple[int, dict[str, Any]]
_Respond = Callable[[Asking, str, _Query, Mapping[str, Any]], _Answer]


def service(callers: Callers) -> Tokens:
    """The tokens as this worker reaches them."""
    return Tokens(callers.tokens, callers.own, callers.engine)


def tokens(callers: Callers) -> ASGIApp:
    """Everybody's own tokens; the shared ones for admins."""

    def respond(asking: Asking, method: str, query: _Query, body: Mapping[str, Any]) -> _Answer:
        having = service(callers)
        if method in ("GET", "HEAD"):
            listed = having.list(asking, all_of_them=query.get("all") == "true")
            return 200, {"tokens": listed, "max_days": having.max_days}
        if method == "POST":
            return 201, having.add(asking, body)
        shared = query.get("shared", "")
        if method == "PATCH":
            return 200, having.change(asking, shared, str(body.get("action")))
        having.revoke(asking, query.get("id", ""), shared)
        return 200, {}

    return _json(respond)


def people(callers: Callers) -> ASGIApp:
    """For admins: who has signed in by the issuer; their removal, and the way back."""

    def respond(asking: Asking, method: str, query: _Query, body: Mapping[str, Any]) -> _Answer:
        if not asking.is_admin:
            raise RefusedError("only admins see and remove people")
        own, name = callers.own, query.get("name", "")
        if method in ("GET", "HEAD"):
            known = own.people.list().values()
            return 200, {
                "people": [
                    {
                        "name": each.name,
                        "role": each.role.name.lower() if each.role else None,
                        "signed_in": time(each.signed_in),
                        "removed": each.is_removed,
                    }
                    for each in known
                ]
            }
        if not name:
            raise UserError("name: is missing in the query", 2)
        if method == "DELETE":
            own.remove(name)
        else:
            own.people.let_in(name)
        callers.tokens.forget()
        return 200, {"name": name, "removed": method == "DELETE"}

    return _json(respond)


def document(prefix: str) -> ASGIApp:
    """The API's own description, as OpenAPI."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, 200, JSON, json.dumps(openapi.document(prefix)).encode())

    return app


def _json(respond: _Respond) -> ASGIApp:
    """``respond`` with the request's query and JSON body; what it raises, as MLflow says errors."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        method, asking = exchange_of(scope).method, Asking.of(scope)
        query = {name: values[0] for name, values in parse_qs(_query(scope)).items()}
        body = await bodies.read(receive, _LARGEST) if method in ("POST", "PATCH") else b""
        try:
            if any(bodies.NUL in value for value in query.values()):
                raise UserError("the query has a NUL character", 2)
            found = await asyncio.to_thread(respond, asking, method, query, as_object(body))
        except RefusedError as error:
            await answer_error(send, 403, "PERMISSION_DENIED", str(error))
        except UserError as error:
            await answer_error(send, 400, "INVALID_PARAMETER_VALUE", str(error))
        else:
            await answer(send, found[0], JSON, json.dumps(found[1]).encode())

    return app


def _query(scope: Scope) -> str:
    query: bytes = scope.get("query_string", b"")
    return query.decode("ascii", "replace")


def as_object(body: bytes | None) -> Mapping[str, Any]:
    try:
        found: Any = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if body is None or not isinstance(found, dict):
        raise UserError(f"the body is no JSON object of at most {_LARGEST} bytes", 2)
    return cast("dict[str, Any]", found)
