"""MLflow's application as this server runs it: bounded in memory and in time.

What a request may do is decided by the layers of the access check. This is what MLflow itself must
be told so that it keeps to it, each in the one place that all its routes go through.
"""

import json
from types import NoneType
from typing import Any, cast

from flask import Response, request
from starlette.exceptions import HTTPException

from runtime.access.rules import compressed, conditions, spans
from runtime.access.rules.limits import heaviest, weight
from runtime.access.rules.locations import of_stack
from runtime.access.served import bridge, places, statements
from runtime.artifacts.location import Destination
from runtime.gc import arrivals
from runtime.settings import RuntimeSettings

_MARK = "_trackstack"
_ASKS_FOR_JSON = ("POST", "PUT")


def bound(app: Any, settings: RuntimeSettings) -> None:
    """Bound ``app`` and what it does to the store; raises LookupError where MLflow is another."""
    from mlflow.server import app as flask_app
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    bridge.install(app)
    _check_requests(cast(Any, flask_app), settings.search_conditions)
    _bound_traces(settings.max_request_bytes)
    places.install(of_stack(settings))
    if not hasattr(SqlAlchemyStore, _MARK):
        setattr(SqlAlchemyStore, _MARK, True)
        statements.install(statements.Refusals(_too_long, _may_not, _costly, _too_wide))
        _seed_for_writers_only(cast(Any, SqlAlchemyStore))
        destination, root = settings.artifacts_destination, settings.default_artifact_root
        arrivals.install(Destination(destination, root))


def _check_requests(flask_app: Any, most: int) -> None:
    def check() -> Response | None:
        try:
            content = _json()
        except (RecursionError, ValueError):
            return _refusal("the request's body is no JSON object, or one that is too deep")
        return _too_much(content, most) if most else None

    hooks = flask_app.before_request_funcs.setdefault(None, [])
    hooks[:] = [hook for hook in hooks if not hasattr(hook, _MARK)]
    setattr(check, _MARK, True)
    hooks.append(check)


def _bound_traces(most: int) -> None:
    """Have traces be at most ``most`` bytes (0: any number) as they are where they come compressed,
    and have them take no more memory than other requests.
    """
    from mlflow.server import otel_api

    api = cast(Any, otel_api)
    if not most or hasattr(api.ExportTraceServiceRequest, _MARK):
        return
    heavy = heaviest("POST", "/", request=most)
    decompress, read, parse = (
        api.decompress_otlp_body,
        api._convert_otlp_json_ids_to_base64,
        api.ParseJsonProto,
    )
    make = api.ExportTraceServiceRequest

    class Bounded:
        """A request, and whether MLflow may make of it what it makes."""

        def __init__(self) -> None:
            self.message = make()

        def ParseFromString(self, body: bytes) -> None:  # noqa: N802
            if spans.is_heavier(body, heavy):
                raise _too_many()
            self.message.ParseFromString(body)

        @property
        def resource_spans(self) -> Any:
            return self.message.resource_spans

    def bounded(body: bytes, encoding: str) -> bytes:
        if compressed.is_larger(body, most):
            raise HTTPException(413, f"compressed traces may have at most {most} bytes as they are")
        return decompress(body, encoding)

    def read_bounded(body: bytes) -> bytes:
        # Each object may be a span.
        if weight(body) + body.count(b"{") * spans.SPAN > heavy:
            raise _too_many()
        return read(body)

    def parse_bounded(body: bytes, request: Bounded, **named: Any) -> None:
        parse(body, request.message, **named)

    setattr(Bounded, _MARK, True)
    api.ExportTraceServiceRequest, api.decompress_otlp_body = Bounded, bounded
    api._convert_otlp_json_ids_to_base64, api.ParseJsonProto = read_bounded, parse_bounded


def _too_many() -> HTTPException:
    return HTTPException(413, "these are too many spans or values of them: send fewer at once")


def _json() -> Any:
    """The request's JSON, which MLflow then finds read; None where there is none.

    Raises RecursionError or ValueError for what MLflow would fail at.
    """
    if not request.is_json and request.method in _ASKS_FOR_JSON:
        # MLflow refuses it there. By other methods it reads JSON whatever it is said to be.
        return None
    # As MLflow reads it: also an object within a text, and nothing at all.
    content: Any = request.get_json(force=True, silent=True)
    if isinstance(content, str):
        content = json.loads(content)
    if not isinstance(content, (dict, NoneType)):
        raise ValueError("no object")
    return cast(Any, content)


def _too_much(content: Any, most: int) -> Response | None:
    if not conditions.may_ask(request.path):
        return None
    asked = conditions.asked_for(content)
    refusal = conditions.refusal(asked + conditions.of_query(request.args.to_dict(False)), most)
    return _refusal(refusal) if refusal else None


def _refusal(message: str) -> Response:
    error = _error(message, "INVALID_PARAMETER_VALUE")
    return Response(
        error.serialize_as_json(), error.get_http_status_code(), mimetype="application/json"
    )


def _error(message: str, code: str) -> Any:
    from mlflow.exceptions import MlflowException
    from mlflow.protos import databricks_pb2

    return MlflowException(message, getattr(databricks_pb2, code))


def _too_long(seconds: float) -> Exception:
    return _error(
        f"this search took more than {seconds:g} s: ask for less, or set TRACKSTACK_SEARCH_SECONDS "
        "on the server",
        "INVALID_PARAMETER_VALUE",
    )


def _costly() -> Exception:
    return _error(
        "this regular expression may take long: it repeats what repeats or branches, or has too "
        "many repeats for the texts that it is looked for in",
        "INVALID_PARAMETER_VALUE",
    )


def _too_wide() -> Exception:
    return _error(
        "this search joins more than the database takes (SQLite 64 tables, MySQL 61): ask for "
        "fewer conditions",
        "INVALID_PARAMETER_VALUE",
    )


def _may_not() -> Exception:
    return _error("this changes something, which needs the role write", "PERMISSION_DENIED")


def _seed_for_writers_only(store: Any) -> None:
    """MLflow adds an experiment's first question when somebody lists them (3.17.2)."""
    seed = store._ensure_default_label_schema

    def seed_where_allowed(self: Any, session: Any, experiment_id: Any) -> None:
        if statements.current().changes:
            seed(self, session, experiment_id)

    store._ensure_default_label_schema = seed_where_allowed
