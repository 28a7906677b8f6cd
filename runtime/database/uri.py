"""Where the backend store is: the URI that SQLAlchemy connects to."""

from pathlib import Path

from pydantic import SecretStr
from sqlalchemy.engine import make_url

from runtime import paths
from runtime.errors import UserError
from runtime.settings import RuntimeSettings, variable
from runtime.settings.uris import problem, with_driver, without_password


def store_uri(settings: RuntimeSettings) -> str:
    """SQLAlchemy URI of the backend store, secret; SQLite under the data directory unless given.

    With the driver that MLflow works with. Raises UserError where it is none that can be used, or
    its login in OCI Vault cannot be read.
    """
    return with_driver(_named(settings).get_secret_value())


def shown_store(settings: RuntimeSettings) -> str:
    """The backend store's URI without its password, fit to be shown."""
    return without_password(_named(settings).get_secret_value())


def _named(settings: RuntimeSettings) -> SecretStr:
    found = _given(settings)
    if wrong := problem(found.get_secret_value(), settings.backend_provider):
        where = variable("given_backend_store_uri")
        if settings.given_backend_store_uri or settings.db_secret_ocid:
            raise UserError(f"{where}: {wrong}", 2)
        raise UserError(
            f"{variable('backend_provider')}={settings.backend_provider}, and nothing says where "
            f"the database is: set {where}, {where}_FILE or {variable('db_secret_ocid')}",
            2,
        )
    return found


def _given(settings: RuntimeSettings) -> SecretStr:
    if settings.db_secret_ocid and not settings.given_backend_store_uri:
        from runtime.oci import vault

        return SecretStr(vault.database_uri(settings.db_secret_ocid))
    database = str(settings.data_dir.resolve() / "store" / "mydb.sqlite")
    # The signs that mean something else in a URI.
    escaped = database.replace("%", "%25").replace("?", "%3F")
    return settings.given_backend_store_uri or SecretStr(f"sqlite:///{escaped}")


def make_directories(settings: RuntimeSettings) -> None:
    """Make the folder of a SQLite file and a local artifact directory, for the owner alone.

    Raises UserError where that cannot be.
    """
    url = make_url(store_uri(settings))
    if url.get_backend_name() == "sqlite" and url.database:
        paths.make_private(Path(url.database).parent)
    artifacts = paths.local_directory(settings.artifacts_destination)
    if artifacts:
        # A server of what is only read may have a mount that is only read.
        paths.make_private(artifacts, is_written=False)
