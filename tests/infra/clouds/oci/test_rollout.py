"""Whom `up` leads users to, and when; test_oci_scale does it for real."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from oci.exceptions import ServiceError

from infra.clouds.oci import rollout
from tests.infra.recording import deploy_azure, deploy_oci
from tests.infra.stack_files import AZURE, OCI

_PROPS = {"compartment": "c", "balancer": "b", "backend_set": "server", "backend": "10.0.0.2:443"}


class _Client:
    """A load balancer with an old backend and a new one, whose health is ``health``; ``refused``
    are the errors that it answers with before it does what it is asked, by the method.
    """

    def __init__(self, health: str, refused: dict[str, list[int]] | None = None) -> None:
        self.health, self.drained = health, list[str]()
        self.refused = refused or {}

    def _refuse(self, method: str) -> None:
        if left := self.refused.get(method):
            status = left.pop(0)
            headers: dict[str, str] = {}
            code = "Conflict" if status == 409 else "NotFound"
            raise ServiceError(status, code, headers, "no")

    def get_backend_health(self, _balancer: str, _set: str, name: str) -> Any:
        self._refuse("health")
        return SimpleNamespace(data=SimpleNamespace(status=self.health))

    def list_backends(self, _balancer: str, _set: str) -> Any:
        names = ("10.0.0.1:443", "10.0.0.2:443")
        items = [SimpleNamespace(name=name, is_drain=False) for name in names]
        return SimpleNamespace(data=SimpleNamespace(items=items))

    def update_backend(self, _b: str, _details: Any, _set: str, name: str) -> Any:
        self._refuse("update")
        self.drained.append(name)
        return SimpleNamespace(headers=dict[str, str]())


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    for name in ("_LOOK_AGAIN_SECONDS", "_GRACE_SECONDS"):
        monkeypatch.setattr(rollout, name, 0)


def _log_in(client: _Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def logged_in(_service: str, _kind: str) -> _Client:
        return client

    monkeypatch.setattr(rollout.oci_login, "client", logged_in)


@pytest.mark.usefixtures("_at_once")
def test_a_load_balancer_that_is_busy_or_does_not_know_a_backend_yet_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = _Client("OK", {"health": [404], "update": [409, 409]})
    _log_in(client, monkeypatch)
    rollout.RolloutProvider().apply(dict(_PROPS))
    assert client.drained == ["10.0.0.1:443"]
    assert client.refused == {"health": [], "update": []}
    # Not for ever, and not what no waiting mends.
    monkeypatch.setattr(rollout, "_BUSY_SECONDS", 0)
    for refused in ({"update": [409] * 9}, {"update": [400]}, {"health": [401]}):
        _log_in(_Client("OK", dict(refused)), monkeypatch)
        with pytest.raises(RuntimeError, match="no"):
            rollout.RolloutProvider().apply(dict(_PROPS))


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize(("health", "drained"), [("OK", ["10.0.0.1:443"]), ("CRITICAL", [])])
def test_the_old_server_is_let_go_only_when_the_new_one_is_healthy(
    health: str, drained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = _Client(health)
    monkeypatch.setattr(rollout, "_WAIT_SECONDS", 0)
    _log_in(client, monkeypatch)
    provider = rollout.RolloutProvider()
    if health == "OK":
        provider.apply(dict(_PROPS))
    else:
        with pytest.raises(RuntimeError, match=r"^0 of 1 new servers are healthy"):
            provider.apply(dict(_PROPS))
    assert client.drained == drained


@pytest.mark.parametrize(
    ("cloud", "compute", "of"),
    [
        ("azure", "container", "ContainerGroup"),
        ("azure", "scale", "ContainerApp"),
        ("oci", "container", "ContainerEngine/containerInstance:ContainerInstance"),
    ],
)
def test_a_server_in_a_cloud_knows_which_image_it_is(cloud: str, compute: str, of: str) -> None:
    """So that a promotion need not guess whether the one before still answers; machines read it
    from their description.
    """
    keys = {"azure": AZURE, "oci": OCI}[cloud]
    deploy = {"azure": deploy_azure, "oci": deploy_oci}[cloud]
    _, made = deploy({**keys, "compute": compute})
    found = [inputs for kind, _, inputs in made.resources if kind.endswith(of)]
    assert found
    assert "TRACKSTACK_IMAGE" in json.dumps(found, default=str)
