"""What MLflow's background jobs are told: no secret of the server but the store, and a token."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.rehearsal.system.waiting import wait_for
from runtime import settings as runtime_settings
from runtime.server import mlflow_jobs
from runtime.server.command import app_environment
from runtime.settings import RuntimeSettings, variable
from runtime.tokens.known import MountedTokens
from runtime.tokens.store import Role
from tests.runtime.serving import Answer, Serving, serving

_SECRET = "a-secret-of-the-server-0123456789-0123456789"
_MADE = (variable("runner_token"), "_MLFLOW_HUEY_STORAGE_PATH")
# Named, since the module imports MLflow's server.
_JOB, _FUNCTION = "look_around", "tests.runtime.server.a_job.look_around"
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
        # The kernel tells a new program's environment a moment after the program is there.
        wait_for(psutil.Process(process.pid).environ, "the runner's environment", 10)
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


# Where MLflow makes a repository of any kind; here of none, since S3's own waits for a login.
_OPEN = """
import sys
from mlflow.store.artifact import artifact_repository_registry as registry
class NoKind:
    get = staticmethod(lambda scheme: lambda uri, **given: uri)
registry._artifact_repository_registry._registry = NoKind
for uri in sys.argv[1:]:
    try:
        registry.get_artifact_repository(uri)
    except Exception as error:
        print(getattr(error, "error_code", repr(error)))
    else:
        print("opened")
"""


def _opened(environment: dict[str, str], *uris: str) -> list[str]:
    """What another Python, as a job of MLflow's is one, says to each of them."""
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, *uris],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.splitlines() or [done.stderr]


def test_a_job_opens_what_the_server_opens_and_no_other_place(tmp_path: Path) -> None:
    given = {
        "TRACKSTACK_DATA_DIR": str(tmp_path),
        "TRACKSTACK_ARTIFACT_LOCATIONS": "s3://known/here",
        "PATH": os.environ["PATH"],
    }
    settings = runtime_settings.load(given)
    told = mlflow_jobs.environment(settings, given, app_environment(settings), "token")
    own, other = str(tmp_path / "artifacts"), str(tmp_path / "other")
    tried = (own, f"{own}/1", "s3://known/here/1", "runs:/1/model", other, "s3://other/1")
    assert _opened(told, *tried) == [*["opened"] * 4, *["PERMISSION_DENIED"] * 2]
    # A client's own, on a machine where Trackstack is installed, is not the server's.
    assert _opened(given, other, "s3://other/1") == ["opened"] * 2
    # One that does not know what the server opens opens nothing.
    broken = {**told, "TRACKSTACK_SEARCH_SECONDS": "no number"}
    assert "TRACKSTACK_SEARCH_SECONDS" in _opened(broken, own)[0]


@pytest.mark.slow
def test_a_job_works_with_a_token_of_its_own_and_sees_no_secret_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's own runner, consumer and job, of a server that has all secrets."""
    key = tmp_path / "key"
    key.write_text(_SECRET)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "x.txt").write_text("not the stack's")
    given: dict[str, Any] = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true",
        "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS": "false",
        "_MLFLOW_SUPPORTED_JOB_FUNCTION_LIST": _FUNCTION,
        "_MLFLOW_ALLOWED_JOB_NAME_LIST": _JOB,
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "TRACKSTACK_JOB_TOKEN_FILE": str(key),
        "TRACKSTACK_SECRETS_KEY_FILE": str(key),
        "TRACKSTACK_BACKUP_KEY": _SECRET,
        "TRACKSTACK_PRUNE_WEBHOOK": f"https://example.com/{_SECRET}",
    }
    with serving(tmp_path / "data", **given) as server:
        client = server.client(monkeypatch)
        run = client.create_run(client.create_experiment("of the job")).info.run_id
        elsewhere = str(theirs / "x.txt")
        asked = {"job_name": _JOB, "params": {"run": run, "elsewhere": [elsewhere]}}
        job = _ended(server, json.loads(_ask(server, "POST", "", asked).body)["job_id"])
        assert job["status"] == "SUCCEEDED", job
        found = job["result"]
        assert found["read"] == "by the job"
        assert client.get_run(run).data.metrics == {"score": 1.0}
        assert found["refused"] == {elsewhere: "PERMISSION_DENIED"}
        token = found["environment"]["MLFLOW_TRACKING_TOKEN"]
        for role, path, status in _OF_A_JOB:
            assert server.request("GET", path, token).status == status, role
        known = str([found["environment"], *found["parents"]])
        assert _SECRET not in known
        assert server.token not in known
        assert str(key) not in known
        assert server.environment["MLFLOW_TRACKING_TOKEN_FILE"] not in known


# It works as a user who writes: what is an administrator's is not a job's.
_OF_A_JOB = (
    ("write", "/api/2.0/mlflow/experiments/search?max_results=1", 200),
    ("admin", "/api/3.0/mlflow/gateway/budgets/list", 403),
)


def _ask(server: Serving, method: str, path: str, body: object = None) -> Answer:
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    path = f"/ajax-api/3.0/jobs/{path}"
    return server.request(method, path, server.token, headers=headers, body=content)


def _ended(server: Serving, job: str) -> dict[str, Any]:
    def state() -> dict[str, Any]:
        return json.loads(_ask(server, "GET", job).body)

    # Each of seven consumers imports MLflow first.
    wait_for(lambda: state()["status"] not in ("PENDING", "RUNNING"), "the job does not end", 240)
    return state()


def _is_secret(field: str) -> bool:
    try:
        runtime_settings.file_variable(field)
    except ValueError:
        return False
    return True
