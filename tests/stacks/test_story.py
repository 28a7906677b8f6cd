"""From dev to prod and back from a loss, as one story, on two rehearsed clouds."""

import functools
import hashlib
import json
import secrets
import tempfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.clouds.azure import image
from infra.rehearsal.azure.cloud import AzureCloud
from infra.rehearsal.azure.data import blob
from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.entra import DEPLOYER
from infra.rehearsal.azure.identity import RoleAssignment
from infra.rehearsal.oci.cloud import OciCloud
from infra.rehearsal.sandbox import Sandbox
from infra.rehearsal.system import daemon
from infra.rehearsal.system.waiting import wait_for
from tests import warm
from tests.runtime.receiver import receiving
from tests.stacks.reach import let_in, listening
from tests.stacks.story import Story, prepared_and_swept, run
from tests.warm import TRACKSTACK

_SECRET = "a secret of both sides"
_READY_SECONDS = 180
_OVERRIDES: dict[str, Any] = {
    # The two servers of the story share a machine of two cores.
    "workers": 1,
    "imageBuild": "acr",
    # The receiver is a machine of the rehearsal's own network.
    "environment": {
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_CACHE_TTL": "1",
    },
}
# A release that is well to look at, and open to everybody.
_BAD = """#!/opt/trackstack/bin/python
import http.server

class Anybody(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"OK")

http.server.ThreadingHTTPServer(("", 5000), Anybody).serve_forever()
"""
_LOG_A_MODEL = """
import mlflow.pyfunc

class Double(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[float]) -> list[float]:
        return [2 * x for x in model_input]

mlflow.set_experiment("fraud")
with mlflow.start_run() as run:
    mlflow.log_metric("auc", 0.95)
    mlflow.pyfunc.log_model(
        name="model", python_model=Double(), input_example=[1.0], pip_requirements=[],
        registered_model_name="fraud",
    )
print(client.get_model_version("fraud", "1").name)
"""
_GATE = ("--require-metric", "auc>=0.9")
_USE_IT = (
    "print(mlflow.pyfunc.load_model('models:/fraud@Champion').predict([21.0])[0],"
    " client.get_model_version_by_alias('fraud', 'Champion').tags)"
)


@pytest.fixture
def story() -> Generator[Story]:
    with tempfile.TemporaryDirectory(prefix="trackstack-") as name:
        folder = Path(name)
        with prepared_and_swept("azure-dev", folder / "azure", _OVERRIDES) as sandbox:
            # One file of logins, for what is pulled from the rehearsal's registry, too.
            logins = folder / "docker"
            logins.mkdir()
            docker = {
                "DOCKER_CONFIG": str(logins),
                "REGISTRY_AUTH_FILE": str(daemon.logged_in(logins) / "config.json"),
            }
            engine = replace(sandbox.engine, environment={**sandbox.engine.environment, **docker})
            dev = replace(sandbox, engine=engine)
            production = replace(engine, stack=f"prod-{secrets.token_hex(3)}")
            yield Story(dev, replace(dev, engine=production), folder)


def _azure(sandbox: Sandbox) -> tuple[AzureCloud, Emulator]:
    cloud = next(cloud for cloud in sandbox.clouds if isinstance(cloud, AzureCloud))
    assert cloud.emulator is not None
    return cloud, cloud.emulator


def _wait_until_ready(sandbox: Sandbox) -> None:
    ready = functools.partial(sandbox.run_client, "client.search_experiments()")
    wait_for(
        lambda: ready().returncode == 0, f"the server of {sandbox.engine.stack}", _READY_SECONDS
    )


def _client(sandbox: Sandbox, code: str) -> str:
    done = sandbox.run_client(code)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def _promote_model(story: Story) -> None:
    with story.dev.client() as dev, story.prod.client() as prod:
        authorities = [story.folder / name for name in ("dev.pem", "prod.pem")]
        for sandbox, file in zip((story.dev, story.prod), authorities, strict=True):
            file.write_text(sandbox.engine.outputs()["ca_certificate"])
        to = ("fraud", "--to-uri", prod["MLFLOW_TRACKING_URI"], "--alias", "Champion")
        done = warm.run(
            [TRACKSTACK, "promote", "model", "models:/fraud/1", *to, *_GATE, "--json"],
            env={
                **story.dev.engine.environment_of_commands(),
                **dev,
                "MLFLOW_TRACKING_SERVER_CERT_PATH": str(authorities[0]),
                "TRACKSTACK_TARGET_TOKEN": prod["MLFLOW_TRACKING_TOKEN"],
                "TRACKSTACK_TARGET_SERVER_CERT_PATH": str(authorities[1]),
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr


def _bring_home(sandbox: Sandbox, account: str, folder: Path) -> Path:
    """The backups of a stack, as `az storage blob download-batch` fetches them."""
    container = blob.client(_azure(sandbox)[1], account).get_container_client("backups")
    for found in container.list_blobs(name_starts_with="backups/"):
        file = folder / found.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(container.download_blob(found.name).readall())
    return folder / "backups"


def _back_up(sandbox: Sandbox) -> str:
    done = run(sandbox, "infra.operations.run", sandbox.engine.stack, "backup")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().rpartition("/")[2]


def _contents(backup: Path) -> dict[str, Any]:
    """Rows by table, and the artifacts with their checksums."""
    of: dict[str, Any] = json.loads((backup / "manifest.json").read_text())
    # Some tables are made when they are first needed.
    rows = {name: table["rows"] for name, table in of["tables"].items() if table["rows"]}
    artifacts = backup / "artifacts"
    files = {
        path.relative_to(artifacts).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in artifacts.rglob("*")
        if path.is_file()
    }
    return {"rows": rows, "files": files}


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_model_and_its_server_go_from_dev_to_prod_and_outlive_their_cloud(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev, prod = story.dev, story.prod
    cloud, emulator = _azure(dev)
    story.up(dev)
    released = dev.engine.outputs()["image"]
    registry = released.partition("/")[0]
    monkeypatch.setenv("SSL_CERT_FILE", dev.engine.environment["SSL_CERT_FILE"])
    refresh_token = image.exchange(registry, emulator.entra.token(DEPLOYER))
    story.log_in(registry, image.TOKEN_USER, refresh_token)
    older = story.release(released, "LABEL release=older")
    # The policies ask for it.
    story.up(prod, image=older, protect=True)
    _wait_until_ready(dev)
    _wait_until_ready(prod)
    assert let_in(cloud, "192.0.2.7") == [443]
    assert 5000 not in listening(dev, "192.0.2.7")
    assert _client(dev, _LOG_A_MODEL).split()[-1] == "fraud"

    wish = ("--to", prod.engine.stack, "--yes", "--by", "ann", "--json")
    promoted = story.run("infra.operations.promote", "--from", dev.engine.stack, *wish)
    assert promoted.returncode == 0, promoted.stderr[-3000:]
    told = json.loads(promoted.stdout)
    assert (told["result"], told["image"]) == ("promoted", released)
    assert told["backup"]
    assert told["cost"]["after"] == told["cost"]["before"] > 0
    runs = prod.engine.outputs()["image"]
    assert runs.partition("@")[2] == released.partition("@")[2]
    assert runs.partition("/")[0] != registry

    with receiving(_SECRET, emulator.host.gateway) as receiver:
        hook = f"client.create_webhook('ci', {receiver.url!r}, ['model_version_alias.created'],"
        _client(prod, f"{hook} secret={_SECRET!r})")
        _promote_model(story)
        wait_for(lambda: receiver.bodies, "the webhook of the alias")
        assert receiver.refused == 0
        assert receiver.bodies[0]["data"]["alias"] == "Champion"
    used = _client(prod, _USE_IT)
    assert used.startswith("42.0 ")
    assert "trackstack.promotion" in used

    bad = story.release(released, "COPY trackstack /opt/trackstack/bin/trackstack", _BAD)
    failed = story.run("infra.operations.promote", "--image", bad, "--to", prod.engine.stack,
                       "--yes", "--patience", "10", "--json")  # fmt: skip
    assert failed.returncode == 1, failed.stderr[-3000:]
    assert json.loads(failed.stdout)["result"] == "rolled back", failed.stdout
    assert _client(prod, _USE_IT).startswith("42.0 ")

    assert story.run("infra.operations.drift", prod.engine.stack).returncode == 0
    mine = [
        record
        for record in cloud.store.find(RoleAssignment.token)
        if record.id in {r.get("id") for r in prod.engine.resources().values()}
    ]
    cloud.store.delete(mine[0].id)
    drift = story.run("infra.operations.drift", prod.engine.stack, "--json")
    assert drift.returncode == 2, drift.stderr
    assert [each["keys"] for each in json.loads(drift.stdout)["drift"]] == [[]]
    prod.engine.run("refresh")
    prod.engine.run("up")
    assert story.run("infra.operations.drift", prod.engine.stack).returncode == 0

    _recover_elsewhere(story)
    dev.engine.destroy()
    assert cloud.store.all() == []


def _recover_elsewhere(story: Story) -> None:
    """Lose prod, and have it again on the other cloud."""
    prod = story.prod
    name = _back_up(prod)
    account = prod.engine.outputs()["backup_destination"].partition("@")[2].partition(".")[0]
    place = _bring_home(prod, account, story.folder / "home")
    prod.engine.run("state", "unprotect", "--all")
    prod.engine.destroy()
    keys = {"workers": 1, "allowedCidrs": ["0.0.0.0/0"]}
    with prepared_and_swept("oci-dev", story.folder / "oci", keys) as sandbox:
        oci = next(cloud for cloud in sandbox.clouds if isinstance(cloud, OciCloud))
        assert oci.emulator is not None
        try:
            # `make recover` makes the stack where there is none.
            sandbox.engine.run("config")
            recovering = ("infra.operations.recover", sandbox.engine.stack, "--from", str(place))
            done = run(sandbox, *recovering)
            assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
            assert "holds what" in done.stdout
            assert "already" in run(sandbox, *recovering).stdout
            again = _back_up(sandbox)
            verified = run(
                sandbox, "infra.operations.run", sandbox.engine.stack, "backup", "verify"
            )
            assert verified.returncode == 0, verified.stderr
            assert again in verified.stdout
            buckets = oci.emulator.objects.buckets
            [backups] = [name for name in buckets if name.endswith("-backups")]
            for path, stored in buckets[backups].items():
                file = story.folder / "there" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(stored.content)
            was = _contents(place / name)
            now = _contents(story.folder / "there" / "backups" / again)
            assert now["files"] == was["files"] != {}
            assert now["rows"] == was["rows"]
            assert _client(sandbox, _USE_IT).startswith("42.0 ")
        finally:
            sandbox.engine.destroy()
        assert oci.store.all() == []
