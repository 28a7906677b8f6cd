"""MLflow's application as this server runs it: bounded in memory and in time.

What a request may do is decided by the layers of the access check. This is what MLflow itself must
be told so that it keeps to it, each in the one place that all its routes go through.
"""

import json
from collections.abc import Callable
from types import NoneType
from typing import Any, cast

from flask import Response, request
from starlette.exceptions import HTTPException

from runtime.access.rules import compressed, conditions
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
    """Have traces that come compressed be at most ``most`` bytes (0: any number) as they are."""
    from mlflow.server import otel_api

    api = cast(Any, otel_api)
    if most and not hasattr(api.decompress_otlp_body, _MARK):
        api.decompress_otlp_body = _bounded(api.decompress_otlp_body, most)


def _bounded(decompress: Callable[[bytes, str], bytes], most: int) -> Callable[[bytes, str], bytes]:
    def bounded(body: bytes, encoding: str) -> bytes:
        if compressed.is_larger(body, most):
            raise HTTPException(413, f"compressed traces may have at most {most} bytes as they are")
        return decompress(body, encoding)

    setattr(bounded, _MARK, True)
    return bounded


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
