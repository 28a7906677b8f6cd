"""`trackstack database`: create database and user on a new server, as its administrator."""

import time

import click
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from runtime import settings as runtime_settings
from runtime.database.engine import is_refusal
from runtime.database.lock import only_one
from runtime.database.uri import shown_store, store_uri
from runtime.errors import UserError
from runtime.settings import RuntimeSettings

_CONNECT_SECONDS = 10
_PAUSE_SECONDS = 5
_LOCK_SECONDS = 60


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
    store = make_url(store_uri(settings))
    admin = settings.database_admin_uri.get_secret_value()
    names = (store.username or "", store.database or "")
    make = _MAKERS.get(store.get_backend_name())
    if make is None or not all(name.isidentifier() for name in names):
        raise UserError(
            f"{shown_store(settings)} names no database and user of MySQL or PostgreSQL", 2
        )
    user, database = names
    try:
        with _wait(admin, seconds) as connection:
            make(connection, database, user, store.password or "")
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise UserError(f"the database cannot be made: {reason}") from None
    return database


def _make_in_mysql(connection: Connection, database: str, user: str, password: str) -> None:
    # The driver quotes what is bound, on this side of the connection.
    login = {"user": user, "password": password}
    for statement in (
        # Else MySQL takes lr and LR for one parameter, and frâud for the experiment fraud.
        f"create database if not exists `{database}` character set utf8mb4 collate utf8mb4_bin",
        "create user if not exists :user@'%' identified by :password require ssl",
        "alter user :user@'%' identified by :password require ssl",
        f"grant all privileges on `{database}`.* to :user@'%'",
    ):
        bound = {name: login[name] for name in login if f":{name}" in statement}
        connection.execute(text(statement), bound)
    connection.commit()


def _make_in_postgresql(connection: Connection, database: str, user: str, password: str) -> None:
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    # PostgreSQL has no "if not exists" for these, and several machines may come at once.
    with only_one(connection.engine, "database", wait_seconds=_LOCK_SECONDS):
        known = text("select 1 from pg_roles where rolname = :name")
        verb = "alter" if connection.scalar(known, {"name": user}) else "create"
        # A command like this takes no bound values; the server quotes them into it.
        given = text("select set_config('trackstack.given', :it, false)")
        connection.execute(given, {"it": password})
        role = f'{verb} role "{user}" login password %L'
        login = f"format('{role}', current_setting('trackstack.given'))"
        connection.execute(text(f"do $$ begin execute {login}; end $$"))
        known = text("select 1 from pg_database where datname = :name")
        if not connection.scalar(known, {"name": database}):
            # An administrator that is no superuser gives away only to a role that it is in.
            connection.execute(text(f'grant "{user}" to current_user'))
            connection.execute(text(f'create database "{database}" owner "{user}" encoding utf8'))
        connection.execute(text(f'revoke connect on database "{database}" from public'))


_MAKERS = {"mysql": _make_in_mysql, "postgresql": _make_in_postgresql}


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
