"""What MLflow's background jobs are told: no secret of the server but the store, and a token."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from runtime import settings as runtime_settings
from runtime.server import mlflow_jobs
from runtime.server.command import app_environment
from runtime.settings import RuntimeSettings, variable
from runtime.tokens.known import MountedTokens
from runtime.tokens.store import Role

_SECRET = "a-secret-of-the-server-0123456789-0123456789"
_MADE = (variable("runner_token"), "_MLFLOW_HUEY_STORAGE_PATH")
_ADMIN = f"postgresql://admin:{_SECRET}@h/d"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """All secrets that a server may have, as variables and as files."""
    file = tmp_path / "secret"
    file.write_text(_SECRET)
    given = {
        "TRACKSTACK_DATA_DIR": str(tmp_path),
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path}/x.sqlite",
        "MLFLOW_TRACKING_TOKEN": _SECRET,
        "TRACKSTACK_JOB_TOKEN_FILE": str(file),
        "TRACKSTACK_TARGET_TOKEN": _SECRET,
        "TRACKSTACK_OIDC_CLIENT_SECRET_FILE": str(file),
        "TRACKSTACK_SECRETS_KEY": _SECRET,
        "TRACKSTACK_PRUNE_WEBHOOK": f"https://example.com/{_SECRET}",
        "TRACKSTACK_DATABASE_ADMIN_URI": _ADMIN,
        # Of the owner's, for their scorers.
        "OPENAI_API_KEY": "theirs",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


def test_the_runner_s_process_knows_no_secret_of_the_server(
    told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = runtime_settings.load()
    app = app_environment(settings)
    # What it makes is taken back after the test, too.
    for name, value in {**app, **dict.fromkeys(_MADE, "")}.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    process = mlflow_jobs.start(settings, app)
    try:
        known = psutil.Process(process.pid).environ()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert known["OPENAI_API_KEY"] == "theirs"
    assert known["MLFLOW_BACKEND_STORE_URI"] == told["MLFLOW_BACKEND_STORE_URI"]
    names = {variable(field) for field in RuntimeSettings.model_fields if _is_secret(field)}
    left = {name for name in known if name.removesuffix("_FILE") in names}
    assert left == {"MLFLOW_BACKEND_STORE_URI", "MLFLOW_TRACKING_TOKEN"}
    assert not [name for name, value in known.items() if _SECRET in value]
    assert {**os.environ, **dict.fromkeys(_MADE, "")} == before
    [runner] = [
        token
        for token in MountedTokens.of(runtime_settings.load(), lambda _name: None).list()
        if token.name == "mlflow-jobs"
    ]
    assert runner.role is Role.WRITE
    assert os.environ[variable("runner_token")] == known["MLFLOW_TRACKING_TOKEN"]


def _is_secret(field: str) -> bool:
    try:
        runtime_settings.file_variable(field)
    except ValueError:
        return False
    return True
