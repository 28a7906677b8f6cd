"""The backend store's database, opened as MLflow opens it."""

from typing import Any, cast

from sqlalchemy import Engine

from runtime.settings import RuntimeSettings


def open_engine(settings: RuntimeSettings) -> Engine:
    """An engine with MLflow's own pool, pre-ping and MySQL TLS settings.

    Raises sqlalchemy.exc.SQLAlchemyError where the URI is none that SQLAlchemy knows.
    """
    from mlflow.store.db import utils

    uri = settings.backend_store_uri.get_secret_value()
    return cast(Engine, cast(Any, utils).create_sqlalchemy_engine(uri))
