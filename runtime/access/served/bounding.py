"""MLflow's application as this server runs it: bounded in memory and in time.

What a request may do is decided by the layers of the access check. This is what MLflow itself must
be told so that it keeps to it, each in the one place that all its routes go through.
"""

import json
from types import NoneType
from typing import Any, cast

from flask import Response, request

from runtime.access.rules import conditions
from runtime.access.served import bridge, statements
from runtime.settings import RuntimeSettings

_MARK = "_trackstack"


def bound(app: Any, settings: RuntimeSettings) -> None:
    """Bound ``app`` and what it does to the store; raises LookupError where MLflow is another."""
    from mlflow.server import app as flask_app
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    bridge.install(app)
    _check_requests(cast(Any, flask_app), settings.search_conditions)
    if not hasattr(SqlAlchemyStore, _MARK):
        setattr(SqlAlchemyStore, _MARK, True)
        statements.install(_too_long, _may_not)
        _seed_for_writers_only(cast(Any, SqlAlchemyStore))


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


def _json() -> Any:
    """The request's JSON, which MLflow then finds read; None where there is none.

    Raises RecursionError or ValueError for what MLflow would fail at.
    """
    if not request.is_json:
        return None
    # As MLflow reads it: also an object within a text, and nothing at all.
    content: Any = request.get_json(force=True, silent=True)
    if isinstance(content, str):
        content = json.loads(content)
    if not isinstance(content, (dict, list, NoneType)):
        raise ValueError("no object")
    return cast(Any, content)


def _too_much(content: Any, most: int) -> Response | None:
    if not ("search" in request.path or request.path.endswith("/graphql")):
        return None
    filters = [*request.args.getlist("filter"), *request.args.getlist("filter_string")]
    asked = conditions.of_texts(filters, request.args.getlist("order_by"))
    asked += conditions.asked_for(content)
    if asked <= most:
        return None
    return _refusal(
        f"a search may have {most} conditions and orders, this one has {asked}: ask for less, "
        "or set TRACKSTACK_SEARCH_CONDITIONS on the server"
    )


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


def _may_not() -> Exception:
    return _error("this changes something, which needs the role write", "PERMISSION_DENIED")


def _seed_for_writers_only(store: Any) -> None:
    """MLflow adds an experiment's first question when somebody lists them (3.17.2)."""
    seed = store._ensure_default_label_schema

    def seed_where_allowed(self: Any, session: Any, experiment_id: Any) -> None:
        if statements.current().changes:
            seed(self, session, experiment_id)

    store._ensure_default_label_schema = seed_where_allowed
