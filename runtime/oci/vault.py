"""The backend store's login from OCI Vault, as oracle-ads' MySQLDBSecretKeeper keeps it there.

https://accelerated-data-science.readthedocs.io/en/latest/user_guide/secrets/mysql.html
"""

import base64
import functools
import json
from typing import Any

from runtime.errors import UserError
from runtime.oci import login as oci_login

# By dialect; the stack, which writes such secrets, has them from here.
DRIVERS = {"mysql": "mysql+pymysql", "postgresql": "postgresql"}
PORTS = {"mysql": 3306, "postgresql": 5432}
_QUERIES = {"mysql": {"ssl_check_hostname": "false"}, "postgresql": {"sslmode": "require"}}


@functools.cache
def database_uri(ocid: str) -> str:
    """The SQLAlchemy URI of a secret with user_name, password, host, port and database.

    ``dialect`` in it is ``mysql``, also without one, or ``postgresql``. With TLS; what a DB system
    shows as its certificate is its own, so that no name is checked. Read once by a process. Raises
    UserError where there is no such secret.
    """
    try:
        answer = oci_login.client("secrets", "SecretsClient").get_secret_bundle(ocid)
    except UserError:
        raise
    except Exception as error:
        reason = getattr(error, "message", None) or type(error).__name__
        raise UserError(f"DB_SECRET_OCID: {ocid} cannot be read: {reason}", 75) from None
    return _uri(ocid, answer.data.secret_bundle_content.content)


def _uri(ocid: str, content: str) -> str:
    from sqlalchemy import URL

    try:
        login: dict[str, Any] = json.loads(base64.b64decode(content))
        dialect = str(login.get("dialect") or "mysql")
        url = URL.create(
            DRIVERS[dialect],
            username=str(login["user_name"]),
            password=str(login["password"]),
            host=str(login["host"]),
            port=int(login.get("port") or PORTS[dialect]),
            database=str(login.get("database") or "mlflow"),
            query=_QUERIES[dialect],
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"DB_SECRET_OCID: {ocid} must hold JSON with user_name, password, host, port and "
            "database, as MySQLDBSecretKeeper writes it"
        ) from None
    return url.render_as_string(hide_password=False)
