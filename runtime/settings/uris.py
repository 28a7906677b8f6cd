"""SQLAlchemy URIs: as the runtime opens them, and as they may be shown."""

import re

from pydantic import SecretStr

# The databases that MLflow's migrations work on here.
DIALECTS = frozenset({"mysql", "postgresql", "sqlite"})


def without_password(uri: str) -> str:
    """A SQLAlchemy URI, fit to be shown."""
    from sqlalchemy.engine import make_url

    return make_url(uri).render_as_string(hide_password=True)


def with_driver(uri: str) -> str:
    """A SQLAlchemy URI as the runtime opens it: whatever a PostgreSQL is called, by psycopg2.

    ``postgresql://`` alone means another driver with each SQLAlchemy, and psycopg 3 sends typed
    parameters, so that PostgreSQL refuses those of MLflow's queries that compare a number with a
    text. ``mysql://`` alone means a driver in C that is not installed. A driver named on purpose
    (``postgresql+pg8000``) stays.
    """
    uri = re.sub(r"^mysql://", "mysql+pymysql://", uri)
    return re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg2://", uri)


def secret_with_driver(uri: SecretStr | None) -> SecretStr | None:
    """As ``with_driver``, of a secret."""
    return SecretStr(with_driver(uri.get_secret_value())) if uri else None


def problem(uri: str, provider: str | None = None) -> str | None:
    """What is wrong with a backend store's URI, and what to write; None where nothing is. Pure.

    ``provider`` is the kind of database that it is said to be. What is said shows no password.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme == "file":
        # Mistyped, it may have a password.
        shown = "this" if "@" in uri else uri
        return (
            f"{shown} is a folder: a file store is moved into a database first, by `make move-in "
            "STACK=NAME FROM=FOLDER`, or by `mlflow migrate-filestore --source FOLDER --target "
            "sqlite:////data/mlflow.db`"
        )
    dialect = scheme.partition("+")[0].replace("postgres", "postgresql").replace("qlql", "ql")
    if dialect not in DIALECTS:
        return f"{scheme}:// is no database: it takes {', '.join(sorted(DIALECTS))}"
    if provider in DIALECTS and provider != dialect:
        return f"BACKEND_PROVIDER={provider}, and the store is a {dialect}: set one of them right"
    authority = rest.partition("?")[0].rpartition("@")[0]
    if dialect != "sqlite" and "@" in authority:
        return (
            f"{scheme}://***: its password has an @ as it is; write %40 there, and %25 for %, %2F "
            "for /, %3A for :"
        )
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(uri)
    except (ArgumentError, ValueError):
        return f"{scheme}://*** is no URI such as {scheme}://USER:PASSWORD@HOST:PORT/DATABASE"
    return None
