"""What is decided about a stack's Docker daemon, and what is asked of it, before the engine."""

import http.server
import json
import os
import socketserver
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from infra.clouds.shared.this_machine import docker_command
from infra.operations.stack import Resource, docker
from infra.place import read_place
from infra.plan import Plan, make_plan
from infra.rehearsal.host.authority import Authority
from infra.rehearsal.system import daemon
from infra.settings import parse
from runtime.errors import UserError
from tests.infra.stack_files import AZURE, OCI

_IMAGE = "docker:index/image:Image"
_CONTAINER = "docker:index/container:Container"
_VOLUME = "docker:index/volume:Volume"


def _resource(kind: str, **inputs: Any) -> Resource:
    return Resource(kind, kind, inputs, protected=False, retained=False, urn=f"urn:{kind}")


@pytest.mark.parametrize(
    ("keys", "types", "is_needed"),
    [
        ({"cloud": "local"}, [], False),
        ({"cloud": "local", "compute": "container"}, [], True),
        (OCI, [], True),
        ({**OCI, "image": f"r.example/t@sha256:{'1' * 64}"}, [], False),
        ({**OCI, "image": f"r.example/t@sha256:{'1' * 64}"}, [_IMAGE], True),
        (AZURE, [], True),
        ({**AZURE, "imageBuild": "acr"}, [], False),
    ],
)
def test_a_daemon_is_needed_for_builds_and_for_what_is_in_the_state(
    keys: dict[str, Any], types: list[str], is_needed: bool
) -> None:
    state = [_resource(kind) for kind in types]
    given = {key: v if isinstance(v, str) else json.dumps(v) for key, v in keys.items()}
    assert docker.needed(parse(given), state) == is_needed


class _Ping(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_ping" else 404)
        self.end_headers()

    def address_string(self) -> str:
        return ""

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def answering(tmp_path: Path) -> Generator[str]:
    """The address of a socket that answers as a daemon does."""
    path = tmp_path / "docker.sock"
    with socketserver.UnixStreamServer(str(path), _Ping) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"unix://{path}"
        server.shutdown()
        thread.join()


def test_a_daemon_that_answers_is_known_by_its_ping(answering: str, tmp_path: Path) -> None:
    assert docker.answers(answering)
    assert not docker.answers(f"unix://{tmp_path}/none.sock")
    assert not docker.answers("tcp://127.0.0.1:1")


def test_one_that_does_not_answer_is_one_line_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(UserError, match=r"^Docker does not answer at unix://\S+none.sock, .*start"):
        docker.require(None, [_resource(_CONTAINER)])
    docker.require(None, [_resource("azure:Server")])


@pytest.mark.slow
def test_the_daemon_is_that_of_the_docker_context_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider knows no contexts, and would make the stack on another machine than meant."""
    daemon.ensure_daemon()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "")
    daemon.docker("context", "create", "there", "--docker", f"host=unix://{tmp_path}/there.sock")
    daemon.docker("context", "use", "there")
    assert docker.address() == f"unix://{tmp_path}/there.sock" == os.environ["DOCKER_HOST"]


def test_a_cloud_s_state_is_left_without_a_word_of_docker() -> None:
    provider, image = "urn:provider", "urn:image"
    app = {
        "urn": "urn:app",
        "type": "azure:App",
        "dependencies": [image, "urn:group"],
        "propertyDependencies": {"image": [image], "group": ["urn:group"]},
    }
    exported: dict[str, Any] = {
        "version": 3,
        "deployment": {
            "manifest": {},
            "resources": [
                {"urn": provider, "type": "pulumi:providers:docker"},
                {"urn": image, "type": _IMAGE, "provider": f"{provider}::id"},
                app,
            ],
        },
    }
    left = docker.without_docker(exported)
    assert left["version"] == 3
    assert left["deployment"]["resources"] == [
        {
            **app,
            "dependencies": ["urn:group"],
            "propertyDependencies": {"image": [], "group": ["urn:group"]},
        }
    ]


def test_networks_that_were_taken_are_those_that_the_program_gave() -> None:
    networks = [{"name": "a", "aliases": ["server"]}, {"name": "b"}]
    inspected: dict[str, Any] = {"NetworkSettings": {"Networks": {"a": {}}}}
    assert docker.missing_networks({"networksAdvanced": networks}, inspected) == [{"name": "b"}]
    assert docker.missing_networks({}, inspected) == []


def test_of_a_failed_update_the_builds_are_known() -> None:
    def failed(kind: str, **inputs: Any) -> str:
        return json.dumps(
            {"resOpFailedEvent": {"metadata": {"type": kind, "new": {"inputs": inputs}}}}
        )

    events = [failed(_CONTAINER), failed(_IMAGE, imageName="t:1"), json.dumps({"sequence": 1})]
    assert docker.failed_builds(events) == [{"imageName": "t:1"}]


@pytest.mark.parametrize("allowed", [(), ("replace:data",), ("delete:database-data",)])
def test_another_daemon_than_the_one_with_the_data_is_refused(
    allowed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def resource(name: str, *, protected: bool) -> Resource:
        given = {"name": f"trackstack-one-{name}"}
        return Resource(name, _VOLUME, given, protected=protected, retained=True, urn=f"urn:{name}")

    state = [
        resource("data", protected=True),
        resource("database-data", protected=True),
        resource("server-secrets", protected=False),
    ]
    there = {"trackstack-one-data", "trackstack-one-database-data"}
    monkeypatch.setattr(docker_command, "has_volume", there.__contains__)
    assert docker.require_data(state, allowed) == frozenset()
    there.clear()
    with pytest.raises(UserError, match="hold this stack's data: go back to the daemon") as raised:
        docker.require_data(state, allowed)
    said = str(raised.value)
    assert ("trackstack-one-data," in said) == ("replace:data" not in allowed)
    assert ("one-database-data," in said) == ("delete:database-data" not in allowed)
    assert "secrets" not in said
    both = ("replace:data", "replace:database-data")
    assert docker.require_data(state, (*both, "replace:other")) == set(both)


_CONTEXT = {
    "Endpoints": {"docker": {"Host": "tcp://build.example:2376", "SkipTLSVerify": False}},
    "TLSMaterial": {"docker": ["ca.pem", "cert.pem", "key.pem"]},
    "Storage": {"MetadataPath": "/c/meta/1", "TLSPath": "/c/tls/1"},
}


def test_a_context_is_told_the_provider_with_its_certificates() -> None:
    told = {"DOCKER_HOST": "tcp://build.example:2376", "DOCKER_CERT_PATH": "/c/tls/1/docker"}
    assert docker.of_context(_CONTEXT) == {**told, "DOCKER_TLS_VERIFY": "1"}
    unverified = {"docker": {"Host": "tcp://build.example:2376", "SkipTLSVerify": True}}
    assert docker.of_context({**_CONTEXT, "Endpoints": unverified}) == told
    plain = {"docker": {"Host": "unix:///run/user/1/docker.sock"}}
    by_socket = {**_CONTEXT, "Endpoints": plain, "TLSMaterial": {}}
    assert docker.of_context(by_socket) == {"DOCKER_HOST": "unix:///run/user/1/docker.sock"}
    assert docker.of_context({}) == {}


@pytest.mark.slow
def test_the_command_tells_a_context_with_certificates_in_that_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.ensure_daemon()
    for name in ("DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_CONTEXT"):
        # Put back after the test, whatever it makes of them.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    authority = Authority.load()
    chain, key = authority.issue("build.example")
    for name, file in files.items():
        file.write_bytes(key if name == "key" else chain)
    given = ",".join(f"{name}={file}" for name, file in files.items())
    endpoint = f"host=tcp://build.example:2376,{given}"
    made = docker_command.run("context", "create", "far", "--docker", endpoint, in_context=True)
    assert made.returncode == 0, made.stderr
    assert docker_command.run("context", "use", "far", in_context=True).returncode == 0
    assert docker.address() == "tcp://build.example:2376"
    assert os.environ["DOCKER_TLS_VERIFY"] == "1"
    kept = Path(os.environ["DOCKER_CERT_PATH"])
    assert {file.name for file in kept.iterdir()} == {"ca.pem", "cert.pem", "key.pem"}


def test_a_command_that_is_missing_or_fails_is_a_line_for_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon behind TLS or SSH is not asked before: of it the command's own word is the first."""
    containers = parse({"cloud": "local", "compute": "container"})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="docker is not on PATH; install"):
        docker.require_name("one", containers, [])
    command = tmp_path / "docker"
    command.write_text("#!/bin/sh\necho Cannot connect to the Docker daemon >&2\nexit 1\n")
    command.chmod(0o755)
    with pytest.raises(UserError, match=r"^Cannot connect to the Docker daemon"):
        docker.require_name("one", containers, [])


def test_containers_of_another_folder_s_stack_are_not_taken_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def named(start: str) -> list[str]:
        return [f"{start}-front", f"{start}-server"] if start == "trackstack-one" else []

    monkeypatch.setattr(docker_command, "named", named)
    containers = parse({"cloud": "local", "compute": "container"})
    with pytest.raises(UserError, match="trackstack-one-server are there, and one is not up"):
        docker.require_name("one", containers, [])
    docker.require_name("one", containers, [_resource(_CONTAINER)])
    docker.require_name("two", containers, [])
    docker.require_name("one", parse({"cloud": "local"}), [])


@pytest.mark.slow
def test_containers_of_a_stack_are_found_by_its_whole_name() -> None:
    image = daemon.built_image("proxy")
    names = [f"trackstack-test-{one}" for one in ("a.b-front", "a.b-c-front", "aXb-front")]
    try:
        for name in names:
            daemon.docker("create", "--name", name, image)
        assert docker_command.named("trackstack-test-a.b") == names[:1]
        assert docker_command.named("trackstack-test-a") == []
    finally:
        daemon.docker("rm", "--force", *names, check=False)


def test_a_database_that_another_folder_s_stack_left_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is down there, so that only its volumes are left, and its password is in that folder."""
    there = {"trackstack-one-database"}
    monkeypatch.setattr(docker_command, "has_volume", there.__contains__)

    def plan(
        stack: str, secrets: frozenset[str] = frozenset(), *, compute: str = "container"
    ) -> Plan:
        given = parse({"cloud": "local", "compute": compute})
        return make_plan(given, read_place(given, stack, secrets, tmp_path))

    with pytest.raises(
        UserError, match=r"volume trackstack-one-database is there, .* another name"
    ):
        docker.require_password(plan("one"), [])
    docker.require_password(plan("one"), [_resource(_VOLUME)])
    docker.require_password(plan("two"), [])
    docker.require_password(plan("one", frozenset({"backendStoreUri"})), [])
    docker.require_password(plan("one", compute="process"), [])
    # Its own, whose state alone is lost.
    password = tmp_path / ".trackstack/data/one/secrets/database_password"
    password.parent.mkdir(parents=True)
    password.touch()
    docker.require_password(plan("one"), [])
