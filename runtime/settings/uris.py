"""SQLAlchemy URIs: as the runtime opens them, and as they may be shown."""

import re

from pydantic import SecretStr


def without_password(uri: str) -> str:
    """A SQLAlchemy URI, fit to be shown."""
    from sqlalchemy.engine import make_url

    return make_url(uri).render_as_string(hide_password=True)


def with_driver(uri: str) -> str:
    """A SQLAlchemy URI as the runtime opens it: whatever a PostgreSQL is called, by psycopg2.

    ``postgresql://`` alone means another driver with each SQLAlchemy, and psycopg 3 sends typed
    parameters, so that PostgreSQL refuses those of MLflow's queries that compare a number with a
    text. A driver named on purpose (``postgresql+pg8000``) stays.
    """
    return re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg2://", uri)


def secret_with_driver(uri: SecretStr | None) -> SecretStr | None:
    """As ``with_driver``, of a secret."""
    return SecretStr(with_driver(uri.get_secret_value())) if uri else None
