"""Access to MLflow: denied by default on every route.

Half of MLflow 3's routes (artifacts, OTLP traces, gateway, jobs, assistant, MCP, server info) are
FastAPI routers that a Flask hook never sees. So the check is ASGI middleware in front of the
whole application, and knows no list of routes to protect: only the exact liveness route is open.
"""

import sys
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def create_app() -> "ASGIApp":
    """MLflow's application behind the access check.

    The factory that `mlflow server --app-name trackstack` finds by its entry point; imports
    MLflow only when it is called. Raises UserError where MLflow's routes are below a prefix.
    """
    from mlflow.server import handlers
    from mlflow.telemetry.utils import is_telemetry_disabled

    from runtime import settings
    from runtime.access.layered import layered
    from runtime.access.served import bounding
    from runtime.errors import UserError

    app, given = mlflow_app(), settings.load()
    bounding.bound(app, given)
    if cast("Any", handlers)._add_static_prefix("/") != "/":
        # Its routes must be at the root: the layer that takes the prefix off alone knows it.
        raise UserError("`mlflow server` takes no path prefix here: use `trackstack server`", 2)
    return layered(app, given, has_telemetry=not is_telemetry_disabled())


def mlflow_app() -> "ASGIApp":
    """MLflow's application as it is."""
    # Without the extra for its own basic-auth, MLflow begins to import that module anew at each
    # search of runs, and requests side by side meet it half-made and fail (mlflow 3.17.2,
    # handlers.search_runs_impl). It is not used here, so it is not there.
    cast("dict[str, Any]", sys.modules)["mlflow.server.auth"] = None
    from mlflow.server.fastapi_app import app

    return app
