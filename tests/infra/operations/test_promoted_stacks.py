"""Promotion of a deployment between two stacks of real containers."""

import contextlib
import json
import secrets
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.operations import promote
from infra.place import ROOT
from infra.rehearsal.docker import cloud as docker_cloud
from infra.rehearsal.engine import Engine
from infra.rehearsal.errors import EngineError
from infra.rehearsal.provider.serving import serving
from infra.rehearsal.system import daemon
from infra.rehearsal.system.ports import find_free_port
from tests.infra.project import configure, make_project
from tests.runtime.serving import request


class Stacks:
    """Two stacks of one project on one daemon and one registry."""

    def __init__(self, folder: Path, providers: str) -> None:
        self.folder = folder
        self.registry = daemon.registry()
        mark = secrets.token_hex(4)
        self.dev: Engine = make_project(folder, f"d{mark}", providers=providers)
        self.prod = replace(self.dev, stack=f"p{mark}")
        self.again = replace(self.dev, stack=f"r{mark}")

    def up(self, engine: Engine, **keys: Any) -> dict[str, Any]:
        self.configure(engine, **keys)
        engine.run("up")
        return engine.outputs()

    def configure(self, engine: Engine, **keys: Any) -> None:
        config: dict[str, Any] = {
            "trackstack:cloud": "local",
            "trackstack:compute": "container",
            "trackstack:port": find_free_port(),
            "trackstack:dataDir": str(self.folder / engine.stack),
            "trackstack:frontImage": daemon.built_image("proxy"),
            "trackstack:databaseImage": daemon.built_image("postgresql"),
            "trackstack:registry": f"{self.registry.address}/{self.dev.stack}",
            "trackstack:registryUser": self.registry.username,
            "trackstack:workers": 1,
            "trackstack:backupDestination": "/data/backups",
            **{f"trackstack:{key}": value for key, value in keys.items()},
        }
        configure(engine, config)
        password = self.registry.password
        engine.run("config", "set", "--secret", "trackstack:registryPassword", password)

    def built_on(self, image: str, dockerfile: str) -> str:
        """Another image in the registry, by digest."""
        folder = self.folder / secrets.token_hex(4)
        folder.mkdir()
        (folder / "Dockerfile").write_text(f"FROM {image}\n{dockerfile}\n")
        tag = f"{self.registry.address}/{self.dev.stack}:{folder.name}"
        daemon.docker("build", "--quiet", "--tag", tag, str(folder))
        config = ("--config", str(folder))
        login = ("login", "--username", self.registry.username, "--password-stdin")
        subprocess.run(
            ["docker", *config, *login, self.registry.address],
            input=self.registry.password,
            text=True,
            check=True,
        )
        return daemon.push(tag, folder)

    def promote(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.run("infra.operations.promote", *arguments, "--to", self.prod.stack, "--json")

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.dev.project_dir,
            env={**self.dev.environment_of_commands(), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=500,
        )

    def configured(self) -> str:
        """The image in prod's stack file."""
        path = self.prod.project_dir / "stacks" / f"Pulumi.{self.prod.stack}.yaml"
        return yaml.safe_load(path.read_text())["config"]["trackstack:image"]

    def remove(self) -> None:
        for engine in (self.again, self.prod, self.dev):
            with contextlib.suppress(EngineError):
                engine.destroy(check=False)
            for kind, all_ in (("container", ["--all"]), ("network", []), ("volume", [])):
                wanted = ("--quiet", "--filter", f"name=trackstack-{engine.stack}")
                for name in daemon.docker(kind, "ls", *all_, *wanted).split():
                    daemon.docker(kind, "rm", "--force", name, check=False)


@pytest.fixture
def stacks(tmp_path: Path) -> Generator[Stacks]:
    daemon.ensure_daemon()
    with serving(docker_cloud.open_cloud(tmp_path / "cloud")) as providers:
        made = Stacks(tmp_path, providers)
        try:
            yield made
        finally:
            made.remove()


# Healthy to look at, and open to everybody.
_BAD = """ENTRYPOINT ["/opt/trackstack/bin/python", "-c", "\\
import http.server as h\\n\\
class A(h.BaseHTTPRequestHandler):\\n\\
    def do_GET(self):\\n\\
        self.send_response(200)\\n\\
        self.end_headers()\\n\\
        self.wfile.write(b'OK')\\n\\
h.ThreadingHTTPServer(('', 5000), A).serve_forever()"]"""


def _ask(engine: Engine, path: str, body: bytes | None = None) -> bytes:
    outputs = engine.outputs()
    authority = engine.project_dir / "authority.pem"
    authority.write_text(outputs["ca_certificate"])
    answer = request(
        f"{outputs['tracking_uri']}/api/2.0/mlflow/{path}",
        "POST" if body else "GET",
        outputs["tracking_token"],
        {"Content-Type": "application/json"},
        body,
        authority,
    )
    assert answer.status == 200, answer.body
    return answer.body


# The story of two rehearsed clouds (tests/stacks/test_story.py) has each of these steps but the
# refusals, which test_promotion and test_recover show; what is left to the night is that containers
# of this machine do the same.
@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_prod_runs_dev_s_very_image_and_goes_back_from_a_bad_one(stacks: Stacks) -> None:
    base: dict[str, Any] = {"baseImage": daemon.base_image()}
    if authorities := daemon.extra_ca():
        (stacks.folder / "ca.pem").write_text(authorities)
        base["extraCaFile"] = str(stacks.folder / "ca.pem")
    released = stacks.up(stacks.dev, **base)["image"]
    older = stacks.built_on(released, "LABEL release=older")
    assert stacks.up(stacks.prod, image=older)["image"] == older

    assert _ask(stacks.prod, "experiments/create", b'{"name": "kept"}')
    assert _ask(stacks.dev, "experiments/create", b'{"name": "other"}')
    assert _ask(stacks.dev, "experiments/create", b'{"name": "more"}')

    unasked = stacks.promote("--from", stacks.dev.stack)
    assert unasked.returncode == 1
    assert "--yes" in unasked.stderr
    assert stacks.configured() == older

    done = stacks.promote("--from", stacks.dev.stack, "--yes", "--by", "ann")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["result"], told["image"], told["before"]) == ("promoted", released, older)
    assert told["backup"]
    assert stacks.configured() == stacks.prod.outputs()["image"] == released
    again = stacks.promote("--from", stacks.dev.stack, "--yes")
    assert json.loads(again.stdout)["result"] == "unchanged"

    bad = stacks.built_on(released, _BAD)
    failed = stacks.promote("--image", bad, "--yes", "--patience", "10")
    assert failed.returncode == 1, failed.stderr
    told = json.loads(failed.stdout)
    assert told["result"] == "rolled back", told
    assert any("access" in problem for problem in told["problems"])
    assert stacks.configured() == released
    assert promote.check(stacks.prod.outputs()) == []
    for said in (done, failed):
        assert stacks.prod.outputs()["tracking_token"] not in said.stdout + said.stderr

    # The last backup, made before the bad release, has all that prod had; a third stack takes it.
    backups = stacks.folder / "home"
    daemon.docker("cp", f"trackstack-{stacks.prod.stack}-scheduler:/data/backups", str(backups))
    stacks.prod.destroy()
    stacks.configure(stacks.again, image=released)
    recovered = stacks.run("infra.operations.recover", stacks.again.stack, "--from", str(backups))
    assert recovered.returncode == 0, (recovered.stdout + recovered.stderr)[-3000:]
    assert "holds what" in recovered.stdout
    assert _ask(stacks.again, "experiments/get-by-name?experiment_name=kept")
    over = stacks.run("infra.operations.recover", stacks.dev.stack, "--from", str(backups))
    assert over.returncode == 1
    assert "only an empty stack is recovered" in over.stderr
