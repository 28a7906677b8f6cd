"""The backend store's database, opened as MLflow opens it."""

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from runtime.database.uri import shown_store, store_uri
from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from runtime.settings.mysql import mysql_tls

# What PostgreSQL and MySQL say to a wrong name or password: waiting does not help.
_REFUSALS = ("authentication failed", "access denied", "no password supplied")


def open_engine(settings: RuntimeSettings) -> Engine:
    """An engine with MLflow's own pool, pre-ping and MySQL TLS settings.

    Raises UserError where the URI is none that can be used, or its driver is not installed.
    """
    from mlflow.store.db import utils

    return _opened(store_uri(settings), cast(Any, utils).create_sqlalchemy_engine)


def open_briefly(settings: RuntimeSettings) -> Engine:
    """As ``open_engine``, for a process of a few statements on Trackstack's own tables.

    It keeps no connection, and does without MLflow, which takes seconds to import.
    """

    def make(uri: str) -> Engine:
        tls = mysql_tls() if uri.startswith("mysql") else {}
        return create_engine(uri, poolclass=NullPool, connect_args=tls)

    return _opened(store_uri(settings), make)


def _opened(uri: str, make: Callable[[str], Engine]) -> Engine:
    try:
        return make(uri)
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
