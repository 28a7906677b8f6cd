"""Under which passphrase the gateway's secrets lie, and that those of before stay readable."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runtime.sealed import gateway
from runtime.settings import load
from tests.runtime.serving import Serving, serving

_KEY = "sk-only-for-this-test-0123456789"
_OWN = {"TRACKSTACK_SECRETS_KEY": "k" * 43}


def _post(server: Serving, path: str, **content: Any) -> dict[str, Any]:
    body, headers = json.dumps(content).encode(), {"content-type": "application/json"}
    path = f"/api/3.0/mlflow/gateway/{path}"
    answer = server.request("POST", path, server.token, headers=headers, body=body)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def _row(folder: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(folder / "store" / "mydb.sqlite")) as link:
        link.row_factory = sqlite3.Row
        return dict(link.execute("SELECT * FROM secrets").fetchone())


def _opened(row: dict[str, Any], passphrase: str, version: int) -> str:
    """The secret, as whoever has the database and this passphrase reads it."""
    from mlflow.utils import crypto

    library: Any = crypto
    manager = library.KEKManager(passphrase=passphrase, kek_version=version)
    key = library.unwrap_dek(row["wrapped_dek"], manager.get_kek())
    aad = library._create_aad(row["secret_id"], row["secret_name"])
    return library.decrypt_with_aes_gcm(row["encrypted_value"], key, aad=aad).decode()


@pytest.mark.slow
def test_a_secret_of_before_is_put_under_the_stack_s_own_passphrase(tmp_path: Path) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.utils.crypto import DEFAULT_KEK_PASSPHRASE

    with serving(tmp_path) as server:
        _post(server, "secrets/create", secret_name="s", secret_value={"api_key": _KEY})
    before = _row(tmp_path)
    assert _KEY in _opened(before, DEFAULT_KEK_PASSPHRASE, 1)
    with serving(tmp_path, TRACKSTACK_SECRETS_KEY=_OWN["TRACKSTACK_SECRETS_KEY"]) as server:
        answer = server.request("GET", "/ajax-api/3.0/mlflow/gateway/secrets/config", server.token)
        assert json.loads(answer.body)["using_default_passphrase"] is False
    after = _row(tmp_path)
    [own] = gateway.passphrases(load(_OWN))
    assert _KEY in _opened(after, own.text, own.version)
    assert after["encrypted_value"] == before["encrypted_value"]
    for version in (1, own.version):
        with pytest.raises(MlflowException):
            _opened(after, DEFAULT_KEK_PASSPHRASE, version)
