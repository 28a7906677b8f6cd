"""Which keys there are, and that all that lies under one of before is put under the newest."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Engine, StaticPool, create_engine, insert, select, text

from runtime import sealed
from runtime.errors import UserError
from runtime.sealed import gateway, webhooks
from runtime.settings import load, variable

_NEW, _OLD, _JOBS, _TOKEN = "n" * 43, "o" * 43, "j" * 43, "t" * 43
_API_KEY, _HOOK = "sk-of-the-team-0123456789", "a secret of both sides"
_INSERT = (
    "INSERT INTO webhooks (webhook_id, name, url, status, secret) "
    "VALUES (:name, :name, 'https://x', 'ACTIVE', :secret)"
)
_NOTHING: dict[str, str] = {}
_BEFORE = {"TRACKSTACK_JOB_TOKEN": _JOBS}
_NOW = {**_BEFORE, "TRACKSTACK_SECRETS_KEY": _NEW}


def _library() -> Any:
    from mlflow.utils import crypto

    return crypto


def _manager(environment: Mapping[str, str]) -> Any:
    """As MLflow has it in a server of this environment."""
    told = gateway.environment(load(environment))
    if not told:
        return _library().KEKManager(passphrase=_library().DEFAULT_KEK_PASSPHRASE, kek_version=1)
    return _library().KEKManager(
        passphrase=told["MLFLOW_CRYPTO_KEK_PASSPHRASE"],
        kek_version=int(told["MLFLOW_CRYPTO_KEK_VERSION"]),
    )


def _hook_key(environment: Mapping[str, str]) -> bytes:
    return webhooks.environment(load(environment))[variable("webhook_key")].encode()


@pytest.fixture
def engine() -> Engine:
    """A store with the two tables that hold secrets."""
    from mlflow.store.model_registry.dbmodels.models import SqlWebhook
    from mlflow.store.tracking.dbmodels.models import SqlGatewaySecret

    made = create_engine("sqlite://", poolclass=StaticPool)
    for model in (SqlGatewaySecret, SqlWebhook):
        cast(Any, model).__table__.create(made)
    return made


def _keep(engine: Engine, environment: Mapping[str, str], name: str = "a") -> None:
    """An API key and a webhook, as a server of this environment keeps them."""
    from mlflow.store.tracking.dbmodels.models import SqlGatewaySecret

    kept = _library()._encrypt_secret({"api_key": _API_KEY}, _manager(environment), name, name)
    table = cast(Any, SqlGatewaySecret).__table__
    with engine.begin() as connection:
        connection.execute(
            insert(table).values(
                secret_id=name,
                secret_name=name,
                encrypted_value=kept.encrypted_value,
                wrapped_dek=kept.wrapped_dek,
                kek_version=kept.kek_version,
                masked_value="***",
                created_at=0,
                last_updated_at=0,
            )
        )
        if webhooks.environment(load(environment)):
            secret = Fernet(_hook_key(environment)).encrypt(_HOOK.encode()).decode()
            connection.execute(text(_INSERT), {"name": name, "secret": secret})


def _read(engine: Engine, environment: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """All secrets as a server of this environment reads them; raises where it cannot."""
    from mlflow.store.tracking.dbmodels.models import SqlGatewaySecret

    table, manager = cast(Any, SqlGatewaySecret).__table__, _manager(environment)
    with engine.connect() as connection:
        rows = connection.execute(select(table)).all()
        hooks = connection.execute(text("SELECT secret FROM webhooks")).scalars().all()
    decrypt = _library()._decrypt_secret
    keys = {
        decrypt(row.encrypted_value, row.wrapped_dek, manager, row.secret_id, row.secret_name)[
            "api_key"
        ]
        for row in rows
    }
    fernet = Fernet(_hook_key(environment)) if hooks else None
    return keys, {fernet.decrypt(hook).decode() for hook in hooks if fernet}


def test_the_keys_are_made_of_one_that_serves_nothing_else() -> None:
    own = sealed.environment(load(_NOW))
    assert own == sealed.environment(load({"TRACKSTACK_SECRETS_KEY": _NEW}))
    others = (_BEFORE, {**_NOW, "TRACKSTACK_SECRETS_KEY": _OLD}, {"TRACKSTACK_SECRETS_KEY": _JOBS})
    for other in others:
        assert not set(own.values()) & set(sealed.environment(load(other)).values())
    assert len(set(own.values())) == 3
    assert _NEW not in str(own)


def test_a_given_key_is_its_owner_s() -> None:
    given = {
        "MLFLOW_CRYPTO_KEK_PASSPHRASE": "given",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
    }
    assert sealed.environment(load(_NOW | given)) == given


def test_a_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(UserError, match="TRACKSTACK_SECRETS_KEY: a key is shorter") as raised:
        sealed.environment(load({"TRACKSTACK_SECRETS_KEY": f"{_NEW} guessed"}))
    assert "guessed" not in str(raised.value).replace("can be guessed", "")


@pytest.mark.parametrize(
    "before",
    [
        _NOTHING,
        _BEFORE,
        {"MLFLOW_TRACKING_TOKEN": f"{_TOKEN} {_JOBS}"},
        {**_BEFORE, "TRACKSTACK_SECRETS_KEY": _OLD},
    ],
    ids=["MLflow's default", "of the jobs' token", "of the first token", "a key of before"],
)
def test_what_lies_under_a_key_of_before_is_put_under_the_newest(
    engine: Engine, before: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    if not before.keys() - {"MLFLOW_TRACKING_TOKEN"}:
        # Such a server's gateway is under MLflow's default.
        assert gateway.environment(load(before)) == {}
    _keep(engine, before)
    was = _read(engine, before)
    assert was[0] == {_API_KEY}
    now = {
        **_NOW,
        "MLFLOW_TRACKING_TOKEN": f"new {_TOKEN}",
        "TRACKSTACK_SECRETS_KEY": f"{_NEW} {_OLD}",
    }
    count = sum(map(len, was))
    assert sealed.rewrap(load(now), engine) == sealed.Rewrapped(count, ())
    assert f"{count} secrets in the store have a new key" in capsys.readouterr().err
    # Those of before are needed no more.
    assert _read(engine, {"TRACKSTACK_SECRETS_KEY": _NEW}) == was
    with pytest.raises(Exception, match="Failed to decrypt"):
        _read(engine, before)
    assert sealed.rewrap(load(now), engine) == sealed.Rewrapped(0, ())
    assert capsys.readouterr().err == ""


def test_what_lies_under_a_key_that_is_gone_is_said_and_left(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = {"TRACKSTACK_SECRETS_KEY": "g" * 43}
    _keep(engine, gone, "gone")
    _keep(engine, _BEFORE, "before")
    lost = ("secret 'gone'", "webhook 'gone'")
    assert sealed.rewrap(load(_NOW), engine) == sealed.Rewrapped(2, lost)
    said = capsys.readouterr().err
    assert "under a key that is not here lie secret 'gone', webhook 'gone'" in said
    assert _NEW not in said
    with pytest.raises(InvalidToken):
        Fernet(_hook_key(_NOW)).decrypt(_secret_of(engine, "gone"))
    back = {**_NOW, "TRACKSTACK_SECRETS_KEY": f"{_NEW} {'g' * 43}"}
    assert sealed.rewrap(load(back), engine) == sealed.Rewrapped(2, ())
    assert _read(engine, _NOW) == ({_API_KEY}, {_HOOK})


def _secret_of(engine: Engine, hook: str) -> str:
    with engine.connect() as connection:
        query = text("SELECT secret FROM webhooks WHERE webhook_id = :hook")
        return connection.execute(query, {"hook": hook}).scalar_one()


def test_without_a_key_of_its_own_nothing_is_moved_but_from_the_published_default(
    engine: Engine,
) -> None:
    _keep(engine, _NOTHING)
    assert sealed.rewrap(load({"MLFLOW_TRACKING_TOKEN": _TOKEN}), engine) == sealed.Rewrapped(0, ())
    assert sealed.rewrap(load(_BEFORE), engine) == sealed.Rewrapped(1, ())
    assert _read(engine, _BEFORE)[0] == {_API_KEY}


def test_an_empty_database_has_none() -> None:
    assert sealed.rewrap(load(_NOW), create_engine("sqlite://")) == sealed.Rewrapped(0, ())
