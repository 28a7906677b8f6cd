"""`pathPrefix`: all that talks to the server finds it below its path, on every cloud."""

import re
from pathlib import Path
from typing import Any

import pytest

from infra.clouds.local.server import health_path
from infra.plan import make_plan
from infra.plan.place import Place
from infra.settings import parse
from runtime import health, settings
from tests.infra.plan.test_round_trip import STACKS
from tests.infra.recording import deploy_azure, deploy_oci
from tests.infra.stack_files import as_given

_PATH = "/team/mlflow"
_ALIVE, _READY = f"{_PATH}/health", f"{_PATH}/health?ready"


def _keys(stack: str) -> dict[str, Any]:
    return {**STACKS[stack], "pathPrefix": _PATH}


@pytest.mark.parametrize("stack", STACKS)
def test_server_jobs_and_users_are_given_addresses_with_the_path(stack: str) -> None:
    given = parse(as_given({f"trackstack:{key}": value for key, value in _keys(stack).items()}))
    plan = make_plan(given, Place("below", Path("/project")))
    server = plan.workloads.server
    read = settings.load({k: v for k, v in server.environment.items() if not k.endswith("_FILE")})
    assert read.path_prefix == _PATH
    assert health.target(server.environment)[2] == _ALIVE
    assert server.probe is not None
    assert (server.probe.path, server.probe.ready_path) == (_ALIVE, _READY)
    if stack == "azure-scale":
        # Only Azure knows the host: see below.
        assert plan.tracking_uri == ""
        return
    assert plan.tracking_uri.endswith(_PATH)
    assert read.given_public_url == plan.tracking_uri
    for run in plan.workloads.all:
        if run.image == "runtime" and run.command[0] != "database":
            uri = run.environment[settings.variable("given_tracking_uri")]
            assert re.fullmatch(rf"https?://[^/]+{_PATH}", uri), run.name


def test_the_local_server_is_waited_for_below_its_path() -> None:
    assert health_path({"environment": {"MLFLOW_STATIC_PREFIX": _PATH}}) == _ALIVE
    # In the state of a stack that was brought up before there was the key.
    assert health_path({"environment": {}}) == "/health"


@pytest.mark.parametrize("compute", ["container", "scale", "vm"])
def test_oci_s_load_balancer_asks_the_proxy_as_it_answers(compute: str) -> None:
    plan, made = deploy_oci(_keys(f"oci-{compute}"))
    [backends] = made.of("BackendSet")
    assert backends["healthChecker"]["urlPath"] == _ALIVE
    [proxy] = (w for w in plan.workloads.all if w.image == "proxy")
    asked = f"handle {_ALIVE} {{\nrewrite * {_READY}\n"
    assert asked in proxy.environment["CADDYFILE"]
    assert "handle /health" not in proxy.environment["CADDYFILE"]
    if compute == "container":
        [instance] = made.of("ContainerInstance")
        [server] = (c for c in instance["containers"] if c["displayName"] == "server")
        assert [check["path"] for check in server["healthChecks"]] == [_ALIVE]
        public = server["environmentVariables"]["TRACKSTACK_PUBLIC_URL"]
        assert public == f"https://192.0.2.9{_PATH}"


def test_azure_s_probes_and_jobs_ask_below_the_path() -> None:
    _, made = deploy_azure(_keys("azure-scale"))
    [app] = made.opened("app:ContainerApp")
    [server] = app["template"]["containers"]
    probes = {probe["type"]: probe["httpGet"]["path"] for probe in server["probes"]}
    assert probes == {"Startup": _ALIVE, "Liveness": _ALIVE, "Readiness": _READY}
    for container in (server, *(j["template"]["containers"][0] for j in made.opened("app:Job"))):
        environment = {entry["name"]: entry.get("value") for entry in container["env"]}
        uri = str(environment["MLFLOW_TRACKING_URI"])
        assert re.fullmatch(rf"https://[^/]+\.apps\.example{_PATH}", uri), container["name"]


def test_azure_s_container_group_asks_as_the_image_does() -> None:
    _, made = deploy_azure(_keys("azure-container"))
    [group] = made.opened("containerinstance:ContainerGroup")
    [server] = (c for c in group["containers"] if c["name"] == "server")
    environment = {entry["name"]: entry.get("value") for entry in server["environmentVariables"]}
    # Its probe is a command in the container, which reads the path there.
    assert health.target({k: str(v) for k, v in environment.items()})[2] == _ALIVE
    assert str(environment["TRACKSTACK_PUBLIC_URL"]).endswith(f".azurecontainer.io{_PATH}")
