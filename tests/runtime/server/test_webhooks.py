"""MLflow's registry webhooks on a real server, with a real receiver that checks each signature."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.system.ports import find_free_port
from infra.rehearsal.system.waiting import wait_for
from runtime import webhooks
from tests.runtime.receiver import receiving
from tests.runtime.serving import Serving, serving

_SECRET = "a secret of both sides"


def _start(folder: Path, port: int, **environment: str) -> Any:
    start: Any = serving
    return start(folder, port=port, MLFLOW_WORKERS="1", MLFLOW_WEBHOOK_CACHE_TTL="1", **environment)


# A receiver on loopback: what MLflow must be told, and what no deployment should be.
_LOCAL = {
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
}


@pytest.mark.slow
def test_deliveries_are_signed_repeated_and_survive_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = find_free_port()
    job_token = {"TRACKSTACK_JOB_TOKEN": "a token of the jobs, which the stack keeps"}
    with receiving(_SECRET) as receiver:
        with _start(tmp_path / "s", port, **_LOCAL, **job_token) as server:
            client = server.client(monkeypatch)
            hook = client.create_webhook(
                "promotion",
                receiver.url,
                ["model_version_tag.set", "model_version_alias.created"],
                secret=_SECRET,
            )
            assert client.test_webhook(hook.webhook_id, "model_version_tag.set").success
            assert receiver.events() == [("model_version_tag", "set")]
            receiver.busy = 1
            _version(server, client)
            done = server.run("promote", "approve", "models:/hooked/1", "--by", "ann")
            assert done.returncode == 0, done.stderr
            wait_for(lambda: len(receiver.bodies) == 2, "the approval, after one refusal")
            data = receiver.bodies[1]["data"]
            assert (data["name"], data["version"]) == ("hooked", "1")
            assert data["key"] == "trackstack.approval"
            assert json.loads(data["value"])["by"] == "ann"
            log = (server.data_dir / "server.log").read_text()
        own_key = {"TRACKSTACK_SECRETS_KEY": "k" * 43}
        with _start(tmp_path / "s", port, **_LOCAL, **job_token, **own_key) as server:
            # Its secret lies under another key now, which hangs on no token.
            client = server.client(monkeypatch)
            assert [hook.name for hook in client.list_webhooks()] == ["promotion"]
            client.set_registered_model_alias("hooked", "Champion", "1")
            wait_for(lambda: len(receiver.bodies) == 3, "a delivery after the restart")
            log += (server.data_dir / "server.log").read_text()
    assert receiver.refused == 0
    assert receiver.events()[2] == ("model_version_alias", "created")
    database = (tmp_path / "s" / "store" / "mydb.sqlite").read_bytes()
    assert _SECRET.encode() not in database
    assert _SECRET not in log


def _version(server: Serving, client: Any) -> None:
    """A registered version, with no more in it than a registry asks for."""
    client.create_registered_model("hooked")
    run = client.create_run("0")
    client.log_text(run.info.run_id, "flavors: {}", "model/MLmodel")
    client.create_model_version("hooked", f"{run.info.artifact_uri}/model", run_id=run.info.run_id)


@pytest.mark.slow
def test_without_being_told_the_server_calls_no_private_or_plain_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    with _start(tmp_path / "s", find_free_port()) as server:
        client = server.client(monkeypatch)
        for url in ("http://127.0.0.1:1/", "https://127.0.0.1:1/", "https://169.254.169.254/"):
            with pytest.raises(MlflowException, match=r"scheme|public"):
                client.create_webhook("inside", url, ["model_version.created"], secret=_SECRET)


def _signed(body: bytes = b"{}", stamp: str = "1000") -> dict[str, str]:
    """Headers as MLflow itself makes them."""
    from mlflow.webhooks import delivery

    sign: Any = vars(delivery)["_generate_hmac_signature"]
    signature = sign(_SECRET, "delivery-1", stamp, body.decode())
    return {
        webhooks.SIGNATURE: signature,
        webhooks.TIMESTAMP: stamp,
        webhooks.DELIVERY: "delivery-1",
    }


@pytest.mark.slow
def test_a_signature_is_good_only_for_its_body_its_moment_and_its_secret() -> None:
    headers = _signed()
    assert webhooks.verify(_SECRET, headers, b"{}", 1000)
    assert webhooks.verify(_SECRET, headers, b"{}", 1299)
    assert not webhooks.verify(_SECRET, headers, b"{}", 1301)
    assert not webhooks.verify(_SECRET, headers, b"{} ", 1000)
    assert not webhooks.verify("another", headers, b"{}", 1000)
    for name in headers:
        assert not webhooks.verify(_SECRET, {**headers, name: ""}, b"{}", 1000)
        assert not webhooks.verify(_SECRET, {**headers, name: "1001é"}, b"{}", 1000)
