"""Promotion of deployments: decided from outputs; and between two stacks of real containers."""

import contextlib
import json
import secrets
import shlex
import subprocess
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.operations import promote
from infra.operations.cost import Change
from infra.operations.promote import Foreseen, Options, Promotion
from infra.operations.stack.findings import Finding
from infra.operations.stack.guard import DataLossError
from infra.place import ROOT
from infra.rehearsal.docker import cloud as docker_cloud
from infra.rehearsal.engine import Engine
from infra.rehearsal.errors import EngineError
from infra.rehearsal.provider.serving import serving
from infra.rehearsal.system import daemon
from infra.rehearsal.system.ports import find_free_port
from runtime.errors import UserError
from tests.infra.project import configure, make_project
from tests.runtime.serving import request

_NEW, _OLD = ("registry.example/t@sha256:" + digit * 64 for digit in "ab")
_UP = {"tracking_uri": "https://t", "tracking_token": "t"}
_PRINTS = shlex.join([sys.executable, "-c", 'print(\'{"name": "b1"}\')'])
_BACKUP = {**_UP, "command": _PRINTS, "image": _OLD}


def test_an_image_is_promoted_only_by_digest_and_only_where_it_does_not_run_already() -> None:
    plan = promote.decide("dev", "prod", None, {**_UP, "image": _NEW}, {"image": _OLD})
    assert (plan.image, plan.before, plan.needed) == (_NEW, _OLD, True)
    assert not promote.decide("dev", "prod", None, {**_UP, "image": _OLD}, {"image": _OLD}).needed
    assert promote.decide(None, "prod", _NEW, {}, {}).before is None
    with pytest.raises(UserError, match="make up STACK=dev"):
        promote.decide("dev", "prod", None, {}, {})
    for image in ("", "sha256:" + "a" * 64, "trackstack:latest"):
        with pytest.raises(UserError, match="registry"):
            promote.decide("dev", "prod", None, {**_UP, "image": image}, {})


_CHANGE = Change(10, 12.5, "2026-11-21")
_FORESEEN = Foreseen(_CHANGE)


@dataclass
class _Target:
    """A stack on which `up` works with these images only."""

    good: frozenset[str]
    image: str | None = _OLD
    foreseen: Foreseen = _FORESEEN
    said: list[str] = field(default_factory=list[str])

    def configure(self, image: str | None) -> None:
        self.image = image

    def configured(self) -> str | None:
        return self.image

    def preview(self) -> Foreseen:
        return self.foreseen

    def up(self, message: str) -> int:
        self.said.append(message)
        return 0 if self.image in self.good else 1

    def outputs(self) -> dict[str, Any]:
        return _UP


_PLAN = Promotion("dev", "prod", _NEW, _OLD, needed=True)
_WISH = Options(by="ann", yes=True)


@pytest.fixture(autouse=True)
def _well(  # pyright: ignore[reportUnusedFunction]
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not request.node.get_closest_marker("slow"):

        def check(_outputs: Mapping[str, Any], _seconds: float = 0) -> list[str]:
            return []

        monkeypatch.setattr(promote, "check", check)


def _carry_out(target: Any, options: Options = _WISH, plan: Promotion = _PLAN) -> promote.Outcome:
    return promote.carry_out(plan, target, _BACKUP, options)


def test_a_good_image_stays_and_who_did_it_is_in_the_history() -> None:
    target = _Target(frozenset({_NEW}))
    outcome = _carry_out(target)
    assert (outcome.result, outcome.backup, target.image) == ("promoted", "b1", _NEW)
    assert target.said == [f"promote {_NEW} from dev, by ann"]


def test_a_bad_image_makes_room_for_the_one_before() -> None:
    target = _Target(frozenset({_OLD}))
    outcome = _carry_out(target)
    assert (outcome.result, target.image) == ("rolled back", _OLD)
    assert any("make recover STACK=prod FROM=b1" in problem for problem in outcome.problems)
    assert _carry_out(_Target(frozenset())).result == "failed"
    nothing_before = replace(_PLAN, before=None)
    assert _carry_out(_Target(frozenset()), plan=nothing_before).result == "failed"


def test_until_it_is_agreed_and_backed_up_the_stack_file_stays_as_it_was() -> None:
    target = _Target(frozenset({_NEW}))
    previewed = _carry_out(target, replace(_WISH, dry_run=True))
    assert (previewed.result, previewed.cost) == ("previewed", _CHANGE)
    broken = replace(target, foreseen=Foreseen(_CHANGE, works=False))
    with pytest.raises(UserError, match="preview failed"):
        _carry_out(broken)
    assert broken.image == _OLD
    for command in (f"{sys.executable} -c exit(1)", None):
        with pytest.raises(UserError, match="back"):
            promote.carry_out(_PLAN, target, {**_UP, "command": command}, _WISH)  # pyright: ignore[reportArgumentType]
    assert (target.image, target.said) == (_OLD, [])


def test_a_promotion_that_takes_what_holds_data_stops_before_the_backup() -> None:
    taken = Finding("replace", "database", "prod-database", "deleted", "changed: region")
    for works in (True, False):
        target = _Target(frozenset({_NEW}), foreseen=Foreseen(_CHANGE, (taken,), works=works))
        with pytest.raises(DataLossError, match=r"prod-database(.|\n)*DATA=replace:database"):
            promote.carry_out(_PLAN, target, {**_UP, "command": "false"}, _WISH)  # pyright: ignore[reportArgumentType]
        assert (target.image, target.said) == (_OLD, [])
    named = replace(_WISH, allowed=frozenset({"replace:database"}))
    works = _Target(frozenset({_NEW}), foreseen=Foreseen(_CHANGE, (taken,)))
    assert _carry_out(works, named).result == "promoted"


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


@pytest.mark.slow
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
