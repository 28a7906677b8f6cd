"""Whose logins a stack in containers pulls with."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from infra.clouds.docker.scope import kept_logins
from infra.place import ROOT
from infra.plan import make_plan
from infra.plan.docker import DockerPlan
from infra.plan.place import Place
from infra.settings import parse

_DIGEST = f"sha256:{'1' * 64}"


def _plan(**keys: str) -> Any:
    given = {"cloud": "local", "compute": "container", **keys}
    return make_plan(parse(given), Place("test", ROOT, frozenset({"registryPassword"})))


@pytest.mark.parametrize(
    ("keys", "hosts"),
    [
        # Database and proxy come from Docker Hub, whose limits are others for one who is known.
        ({}, ["docker.io"]),
        ({"image": f"r.example.org/t@{_DIGEST}"}, ["docker.io", "r.example.org"]),
        ({"image": f"other.example.org/t@{_DIGEST}"}, ["docker.io"]),
        ({"registry": "r.example.org/team"}, ["docker.io", "r.example.org"]),
        # The stack file has that one.
        ({"registry": "r.example.org/team", "registryUser": "u"}, ["docker.io"]),
    ],
)
def test_what_docker_login_keeps_is_used_for_every_image(
    keys: dict[str, str], hosts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    auth = {"auth": base64.b64encode(b"ann:secret").decode()}
    kept = {"auths": {"r.example.org": auth, "https://index.docker.io/v1/": auth}}
    (tmp_path / "config.json").write_text(json.dumps(kept))
    plan = _plan(**keys)
    assert isinstance(plan, DockerPlan)
    assert kept_logins(plan) == hosts
