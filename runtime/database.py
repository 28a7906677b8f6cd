"""`trackstack database`: make database and user on a server that has its administrator alone."""

import time

import click
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from runtime import settings as runtime_settings
from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from runtime.store import is_refusal

_CONNECT_SECONDS = 10
_PAUSE_SECONDS = 5


def _wait(uri: str, seconds: float) -> Connection:
    """A connection as the administrator; a new server takes minutes to answer."""
    engine = create_engine(uri, connect_args={"connect_timeout": _CONNECT_SECONDS})
    deadline = time.monotonic() + seconds
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            reason = str(error.orig).splitlines()[0]
            if is_refusal(reason):
                raise UserError(f"the server refuses the administrator: {reason}") from None
            if time.monotonic() > deadline:
                raise UserError(f"the database server does not answer: {reason}", 75) from None
            click.echo("waiting for the database server", err=True)
            time.sleep(_PAUSE_SECONDS)


def prepare(settings: RuntimeSettings, seconds: float) -> str:
    """Make what the backend store's URI names, or bring the user's password up to date.

    Returns the database's name. May be called again; what is there stays.
    """
    if settings.database_admin_uri is None:
        raise UserError("TRACKSTACK_DATABASE_ADMIN_URI: is missing: the administrator's login", 2)
    store = make_url(settings.backend_store_uri.get_secret_value())
    admin = settings.database_admin_uri.get_secret_value()
    names = (store.username or "", store.database or "")
    if store.get_backend_name() != "mysql" or not all(name.isidentifier() for name in names):
        raise UserError(f"{settings.backend_store} names no database and user of MySQL", 2)
    user, database = names
    # The driver quotes what is bound, on this side of the connection.
    login = {"user": user, "password": store.password}
    try:
        with _wait(admin, seconds) as connection:
            for statement in (
                f"create database if not exists `{database}` character set utf8mb4",
                "create user if not exists :user@'%' identified by :password require ssl",
                "alter user :user@'%' identified by :password require ssl",
                f"grant all privileges on `{database}`.* to :user@'%'",
            ):
                bound = {name: login[name] for name in login if f":{name}" in statement}
                connection.execute(text(statement), bound)
            connection.commit()
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise UserError(f"the database cannot be made: {reason}") from None
    return database


@click.command()
@click.option("--wait", default=900.0, show_default=True, help="Seconds to wait for the server.")
def command(wait: float) -> None:
    """Make the backend store's database and user, as the server's administrator.

    The store is that of MLFLOW_BACKEND_STORE_URI or DB_SECRET_OCID, the administrator's URI that of
    TRACKSTACK_DATABASE_ADMIN_URI_FILE. What is there stays.

    \b
    Example:
      TRACKSTACK_DATABASE_ADMIN_URI_FILE=/run/secrets/admin trackstack database --wait 60
    """
    name = prepare(runtime_settings.load(), wait)
    click.echo(f"the database {name} is ready")
