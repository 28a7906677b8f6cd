"""By which name clients reach a stack in containers."""

from pathlib import Path

import pytest

from infra.plan import make_plan
from infra.plan.docker import DockerPlan
from infra.plan.place import Place
from infra.settings import parse

_KEYS = {"cloud": "local", "compute": "container", "port": "5443"}


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({}, "localhost"),
        ({"address": "0.0.0.0"}, "localhost"),
        # Nothing else is published: on localhost nobody answers.
        ({"address": "192.0.2.10"}, "192.0.2.10"),
        ({"address": "192.0.2.10", "hostname": "mlflow.example.com"}, "mlflow.example.com"),
    ],
)
def test_the_uri_has_what_is_published(keys: dict[str, str], name: str) -> None:
    plan = make_plan(parse({**_KEYS, **keys}), Place("one", Path("/project")))
    assert isinstance(plan, DockerPlan)
    assert plan.tracking_uri == f"https://{name}:5443"
    assert name in plan.hostnames
