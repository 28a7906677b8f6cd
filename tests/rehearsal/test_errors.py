"""What goes wrong in a rehearsal ends in one line and an exit code, never in a stack trace."""

import http.server
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from infra.place import ROOT
from infra.rehearsal.engine import Engine
from infra.rehearsal.errors import EngineError, RehearsalError
from infra.rehearsal.keys import replaced_keys
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.serving import serving
from infra.rehearsal.provider.values import Props, encode
from infra.rehearsal.system import daemon
from infra.rehearsal.system.waiting import wait_for
from tests.background import in_background
from tests.rehearsal import tiny

_URN = "urn:pulumi:test::errors::tiny:index:Thing::a"


def _run(module: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_waiting_for_too_long_says_for_what() -> None:
    with pytest.raises(TimeoutError, match=r"^waited 0.1 s for: the server$"):
        wait_for(lambda: False, "the server", 0.1)


def test_an_engine_that_fails_is_an_error_with_its_output(tmp_path: Path) -> None:
    engine = Engine(tmp_path, tmp_path / "state")
    with pytest.raises(EngineError) as failed:
        engine.run("up")
    assert isinstance(failed.value, RehearsalError)
    assert "\n" not in failed.value.summary
    assert failed.value.summary.startswith("pulumi stack select")
    assert failed.value.output.startswith("error: ")
    assert failed.value.output.strip() in str(failed.value)


def test_a_failing_docker_command_is_an_error_in_its_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\n[ $1 = version ] && exit 0\necho no space left >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RehearsalError, match=r"^docker pull ended with 1: no space left$"):
        daemon.docker("pull", "image")


class _Failing(tiny.Thing):
    error: Exception

    def create(self, inputs: Props) -> tuple[str, Props]:
        raise self.error


@pytest.mark.parametrize("kind", [RehearsalError, TimeoutError])
def test_what_keeps_a_resource_from_being_made_reaches_the_engine_as_one_line(
    kind: type[Exception], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(_Failing):
        error = kind("the registry does not answer")

    request = provider_pb2.CreateRequest(
        urn=_URN, type=tiny.Thing.token, name="a", properties=encode({"name": "a", "zone": "x"}, ())
    )
    with (
        serving(Cloud("tiny", [Failing], tmp_path)) as attached,
        cast("Any", grpc).insecure_channel(f"127.0.0.1:{attached.partition(':')[2]}") as channel,
        pytest.raises(cast("Any", grpc).RpcError) as refused,
    ):
        cast("Any", provider_pb2_grpc.ResourceProviderStub(channel)).Create(request)
    assert refused.value.details() == "the registry does not answer"
    assert caplog.text == ""


@pytest.mark.slow
def test_a_machine_without_docker_is_told_in_one_line() -> None:
    done = _run("infra.rehearsal", "local-container", DOCKER_HOST="tcp://127.0.0.1:1")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("rehearse: tools/docker/daemon.sh ended with 1")


@pytest.mark.slow
def test_a_stack_file_that_is_no_yaml_is_told_in_one_line() -> None:
    path = ROOT / "stacks" / f"Pulumi.bad-{os.getpid()}.yaml"
    path.write_text("config: {\n")
    try:
        done = _run("infra.rehearsal", f"bad-{os.getpid()}")
    finally:
        path.unlink()
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("rehearse: ")
    assert f"stacks/{path.name}: is no YAML" in done.stderr


@pytest.mark.slow
def test_a_value_that_is_no_yaml_is_told_in_one_line() -> None:
    done = _run("infra.rehearsal", "local", "--config", "allowedCidrs=[")
    assert done.returncode == 2
    assert done.stderr == "rehearse: --config allowedCidrs=[: the value is no YAML\n"


def test_a_stack_that_is_protected_can_be_rehearsed(tmp_path: Path) -> None:
    config = {"trackstack:protect": True}
    assert replaced_keys("local", config, tmp_path)["protect"] is False


@contextmanager
def _server(answers: dict[str, tuple[int, bytes]]) -> Generator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = next((v for k, v in answers.items() if k in self.path), (404, b"{}"))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with in_background(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"error_code": "INTERNAL_ERROR", "message": "disk full"}', "disk full"),
        (200, b'{"experiment_id": ""}', "smoke test: "),
    ],
)
def test_a_server_that_answers_wrongly_fails_the_smoke_test_in_one_line(
    status: int, body: bytes, said: str
) -> None:
    answers = {"experiments/search": (200, b"{}"), "experiments/create": (status, body)}
    with _server(answers) as uri:
        done = _run("infra.rehearsal.smoke", MLFLOW_TRACKING_URI=uri, MLFLOW_TRACKING_TOKEN="x")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert said in done.stderr.splitlines()[-1]
