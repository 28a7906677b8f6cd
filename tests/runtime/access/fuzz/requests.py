"""Requests that are nearly right: each route's own fields, with values that nobody expects."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, cast
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.runtime.access.test_roles import listed

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_TYPES = (
    _JSON,
    _JSON,
    _JSON,
    _JSON,
    "application/x-protobuf",
    "text/plain",
    _FORM,
    "multipart/form-data",
)
# What FastAPI's routes and those of Flask without a message of their own take.
_NAMES = (
    *("experiment_id", "experiment_ids", "run_id", "run_ids", "run_uuid", "name", "version", "key"),
    *("value", "tags", "filter", "filter_string", "order_by", "max_results", "page_token", "path"),
    *("trace_id", "request_id", "model_id", "dataset_id", "user_id", "assessment", "schema"),
    *(
        "messages",
        "model",
        "input",
        "url",
        "events",
        "status",
        "query",
        "variables",
        "endpoint_name",
    ),
    *(
        "display_name",
        "description",
        "server",
        "tools",
        "inputs",
        "outputs",
        "metric_key",
        "view_type",
    ),
)


@dataclass(frozen=True)
class Asked:
    """A request, and the route that it is of."""

    method: str
    template: str
    path: str
    content_type: str
    body: str

    def line(self, where: str) -> str:
        """As it stands in the list of what MLflow fails at."""
        return json.dumps({"where": where, **asdict(self)})


@dataclass(frozen=True)
class Known:
    """What is in the store, by what a field's name ends in."""

    values: dict[str, list[str]]

    def of(self, field: str) -> list[str]:
        ends = [end for end in self.values if field.rstrip("s").endswith(end)]
        return self.values[max(ends, key=len)] if ends else []


_ODD_TEXTS = st.sampled_from(
    (
        *("", " ", "0", "-1", "1", "1.5", "9" * 40, "NaN", "null", "true", "[]", "{}", '"', "'"),
        *("\x00", "\ud800", "ä%", "%00", "%2e%2e/x", "../x", "a/b", "//", "a" * 600, "s3://b/x"),
        *(
            "runs:/1/m",
            "models:/1/1",
            "models:/1@c",
            "file:///etc",
            "mlflow-artifacts:/x",
            "dbfs:/x",
        ),
        *("name = 'x'", "metrics.loss > 1", "tags.`a` LIKE '%'", "name ILIKE 1", "x", "a = "),
        *("start_time DESC", "metrics.`loss` ASC", "no.such DESC", "2024-01-01", "http://["),
        *("ACTIVE", "READY", "Production", "deleted_only", "AND", "name IN ('a')", "(", "🦀"),
    )
)
_TEXTS = st.one_of(_ODD_TEXTS, st.text(max_size=20))
_NUMBERS = st.one_of(
    st.sampled_from((0, 1, -1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30, 1000, 1.5, 1e308)),
    st.integers(-5, 2000),
)
_SCALARS = st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(_NAMES), _TEXTS), inner, max_size=3),
    ),
    max_leaves=8,
)


def _text(field: str, known: Known) -> st.SearchStrategy[str]:
    there = known.of(field)
    return st.one_of(st.sampled_from(there), st.sampled_from(there), _TEXTS) if there else _TEXTS


def _value(field: Any, known: Known, depth: int) -> st.SearchStrategy[Any]:
    """A value of a message's field, mostly of its type."""
    right: st.SearchStrategy[Any]
    if field.message_type is not None:
        right = _message(field.message_type, known, depth + 1) if depth < 3 else st.just({})
    elif field.enum_type is not None:
        right = st.sampled_from([value.name for value in field.enum_type.values])
    elif field.cpp_type == field.CPPTYPE_STRING:
        right = _text(field.name, known)
    elif field.cpp_type == field.CPPTYPE_BOOL:
        right = st.booleans()
    else:
        right = _NUMBERS
    if field.is_repeated:
        right = st.lists(right, max_size=3)
    return st.one_of(right, right, right, right, right, right, _ANYTHING)


def _message(message: Any, known: Known, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    fields = {field.name: _value(field, known, depth) for field in message.fields}
    return st.fixed_dictionaries({}, optional=fields)


@cache
def _messages() -> dict[tuple[str, str], Any]:
    """The protocol's message of a method and a path without its /api/N.0."""
    from mlflow.protos import (
        databricks_pb2,
        mlflow_artifacts_pb2,
        model_registry_pb2,
        service_pb2,
        webhooks_pb2,
    )

    rpc = cast(Any, databricks_pb2).rpc
    services = (
        cast(Any, service_pb2).MlflowService,
        cast(Any, model_registry_pb2).ModelRegistryService,
        cast(Any, webhooks_pb2).WebhookService,
        cast(Any, mlflow_artifacts_pb2).MlflowArtifactsService,
    )
    return {
        (endpoint.method, endpoint.path): method.input_type
        for service in services
        for method in service.DESCRIPTOR.methods
        for endpoint in method.GetOptions().Extensions[rpc].endpoints
    }


def requests(known: Known) -> st.SearchStrategy[Asked]:
    """Requests of all routes: by their own methods mostly, and by any other."""
    routes = sorted(listed())
    contents = {route: _content(*route, known) for route in routes}
    others = _content("", "", known)
    own = st.sampled_from(routes)
    crossed = st.tuples(st.sampled_from(METHODS), st.sampled_from([path for _, path in routes]))

    @st.composite
    def made(draw: st.DrawFn) -> Asked:
        method, template = draw(st.one_of(own, own, own, own, own, crossed))
        path = re.sub(
            r"\{(\w+)(?::path)?\}",
            lambda match: quote(_bytes(draw(_text(match[1], known))), ""),
            template,
        )
        content = draw(contents.get((method, template), others))
        kind = draw(st.sampled_from(_TYPES))
        if method in ("GET", "HEAD", "DELETE", "OPTIONS") and draw(st.integers(0, 4)):
            return Asked(method, template, f"{path}?{_query(content)}", kind, "")
        body = draw(
            st.sampled_from(
                (_query(content) if kind == _FORM else json.dumps(content),) * 9 + ("",)
            )
        )
        return Asked(method, template, path, kind, body or draw(_odd_body(json.dumps(content))))

    return made()


def _content(method: str, template: str, known: Known) -> st.SearchStrategy[dict[str, Any]]:
    """The fields of a route: its message's, where it has one."""
    message = _messages().get((method, re.sub(r"^/(ajax-)?api/\d\.0", "", template)))
    if message is not None:
        return _message(message, known)
    named = {name: st.one_of(_text(name, known), _ANYTHING) for name in _NAMES}
    return st.fixed_dictionaries({}, optional=named)


def _odd_body(body: str) -> st.SearchStrategy[str]:
    broken = st.sampled_from((body[:-1], "[" * 20_000, "null", "[]", '"x"', "1", "\x00"))
    return st.one_of(broken, _ANYTHING.map(json.dumps), st.text(max_size=30))


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def _query(content: dict[str, Any]) -> str:
    return urlencode([(_bytes(name), _bytes(value)) for name, value in _pairs(content)])


def _pairs(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        values = cast("list[Any]", value) if isinstance(value, list) else [value]
        for each in values:
            yield name, each if isinstance(each, str) else json.dumps(each)
