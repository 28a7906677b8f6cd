"""The backend store's database, opened as MLflow opens it."""

from typing import Any, cast

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from runtime.database.uri import shown_store, store_uri
from runtime.errors import UserError
from runtime.settings import RuntimeSettings

# What PostgreSQL and MySQL say to a wrong name or password: waiting does not help.
_REFUSALS = ("authentication failed", "access denied", "no password supplied")


def open_engine(settings: RuntimeSettings) -> Engine:
    """An engine with MLflow's own pool, pre-ping and MySQL TLS settings.

    Raises UserError where the URI is none that can be used, or its driver is not installed.
    """
    from mlflow.store.db import utils

    uri = store_uri(settings)
    try:
        return cast(Engine, cast(Any, utils).create_sqlalchemy_engine(uri))
    except (ModuleNotFoundError, NoSuchModuleError):
        kind, _, driver = uri.partition("://")[0].partition("+")
        raise UserError.of_extra(f"{kind} by its driver {driver}", kind) from None


def is_refusal(reason: str) -> bool:
    """Whether a database's words mean that it does not know the login."""
    return any(refusal in reason.lower() for refusal in _REFUSALS)


def can_connect(engine: Engine, settings: RuntimeSettings) -> bool:
    """Whether the database answers; raises UserError where it refuses the login.

    MLflow tries for 40 s, which is right for a database that starts and wrong for a password.
    """
    try:
        engine.connect().close()
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        if is_refusal(reason):
            raise UserError(
                f"{shown_store(settings)} refuses the login: {reason}; see MLFLOW_BACKEND_STORE_URI"
            ) from None
        return False
    return True
