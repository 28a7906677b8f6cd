"""The key of webhooks' secrets.

MLflow encrypts a webhook's secret under MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY; without it, under a
key that each start makes up, so that after a restart no webhook can be read any more.
"""

from sqlalchemy import Connection, Engine, column, select, table, update

from runtime.sealed.keys import derived_key, own_keys
from runtime.settings import RuntimeSettings, variable

_PURPOSE = b"trackstack webhook secrets"
# As it lies in the store: MLflow's own model would try to read it.
_HOOKS = table("webhooks", column("webhook_id"), column("name"), column("secret"))


def environment(settings: RuntimeSettings) -> dict[str, str]:
    """What MLflow must be told: the newest of ``keys``."""
    return {variable("webhook_key"): key for key in keys(settings)[:1]}


def keys(settings: RuntimeSettings) -> list[str]:
    """The key that is given, else those made of the deployment's own, the newest first.

    Behind them, what earlier versions made one of: the jobs' token, or where there is none each
    bearer token.
    """
    if settings.webhook_key:
        return [settings.webhook_key.get_secret_value()]
    jobs, tokens = settings.job_token, settings.tracking_token
    before = [jobs.get_secret_value()] if jobs else []
    before += tokens.get_secret_value().split() if tokens else []
    return [derived_key(secret, _PURPOSE) for secret in (*own_keys(settings), *before)]


def rewrap(settings: RuntimeSettings, engine: Engine) -> tuple[int, list[str]]:
    """Put secrets under the newest key, in one transaction: how many were, and the names of the
    webhooks whose cannot be.
    """
    if not settings.secrets_key or settings.webhook_key:
        return 0, []
    with engine.begin() as connection:
        if not engine.dialect.has_table(connection, _HOOKS.name):
            return 0, []
        return _rewrap(connection, keys(settings))


def _rewrap(connection: Connection, known: list[str]) -> tuple[int, list[str]]:
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

    rows = connection.execute(select(_HOOKS).where(_HOOKS.c.secret.is_not(None))).all()
    newest, ring = Fernet(known[0]), MultiFernet([Fernet(key) for key in known])
    done, left = 0, list[str]()
    for row in rows:
        try:
            newest.decrypt(row.secret)
            continue
        except InvalidToken:
            pass
        try:
            secret = ring.rotate(row.secret).decode()
        except InvalidToken:
            left.append(str(row.name))
            continue
        own = _HOOKS.c.webhook_id == row.webhook_id
        connection.execute(update(_HOOKS).where(own).values(secret=secret))
        done += 1
    return done, left
