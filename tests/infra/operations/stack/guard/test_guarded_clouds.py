"""`make up` where a changed key takes data: by the real engine, on rehearsed clouds.

The clouds only check what they are asked for. The registry hangs until what holds data is there,
and then fails, so that no image is built and no server comes up.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from infra.clouds import data
from infra.rehearsal.azure import ids as azure
from infra.rehearsal.engine import Engine
from infra.rehearsal.oci import ids as oci
from infra.rehearsal.provider.conditions import Fault
from infra.rehearsal.provider.serving import serving
from infra.rehearsal.serve import load
from infra.rehearsal.system.waiting import wait_for
from tests.infra.project import configure, make_project, oci_login, run_operation

pytestmark = pytest.mark.slow

_KEYS: dict[str, dict[str, Any]] = {
    "oci": {
        "tenancyId": oci.TENANCY,
        "compartmentId": oci.TENANCY,
        "region": oci.REGION,
        "allowedCidrs": ["203.0.113.0/24"],
        "databaseShape": "MySQL.2",
    },
    "azure": {
        "subscriptionId": azure.SUBSCRIPTION,
        "region": "westeurope",
        "allowedCidrs": ["0.0.0.0/0"],
    },
}
_PROVIDERS = {"oci": "oci", "azure": "azure-native"}
_REGISTRIES = {"oci": "ContainerRepository", "azure": "containerregistry:Registry"}
_LAST = {
    "oci": ("oci:Mysql/mysqlDbSystem:MysqlDbSystem", "oci:ObjectStorage/bucket:Bucket"),
    "azure": ("azure-native:dbforpostgresql:Database", "azure-native:storage:BlobContainer"),
}


@dataclass(frozen=True)
class Stack:
    """A stack in a cloud."""

    cloud: str
    engine: Engine

    def configure(self, **keys: Any) -> None:
        given = {"cloud": self.cloud, **_KEYS[self.cloud], **keys}
        configure(self.engine, {f"trackstack:{key}": value for key, value in given.items()})

    def up(self, *arguments: str) -> tuple[int, str]:
        # Nothing runs behind these clouds.
        done = run_operation(self.engine, "up", "--wait", "0", *arguments)
        return done.returncode, done.stdout + done.stderr

    def protected(self) -> set[str]:
        return {name for name, one in self.engine.resources().items() if one.get("protect")}


@pytest.fixture(scope="module", params=sorted(_KEYS))
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Stack]:
    folder = tmp_path_factory.mktemp("g")
    name = request.param
    cloud, docker = (load(provider, folder / "clouds") for provider in (_PROVIDERS[name], "docker"))
    cloud.conditions.add(Fault("Create", "timeout", token=_REGISTRIES[name]))
    with serving(cloud, docker) as providers:
        engine = make_project(folder, providers=providers)
        made = Stack(name, replace(engine, environment=oci_login(folder)))
        made.configure()
        up = made.engine.start("up")
        wait_for(lambda: all(map(cloud.store.find, _LAST[name])), "what holds data")
        cloud.cancelled.set()
        said, _ = up.communicate(timeout=120)
        assert up.returncode, said
        yield made


def test_what_is_protected_and_kept_is_what_holds_data(stack: Stack) -> None:
    resources = stack.engine.resources()
    holding = {n for n, one in resources.items() if data.holds_data(str(one["type"]), n)}
    emptying = {n for n, one in resources.items() if data.emptied(str(one["type"]), n)}
    assert len(holding) == {"oci": 3, "azure": 6}[stack.cloud]
    assert stack.protected() == holding | emptying
    assert {n for n, one in resources.items() if one.get("retainOnDelete")} == stack.protected()


def test_a_plain_destroy_is_refused_and_takes_nothing_that_holds_data(stack: Stack) -> None:
    before = stack.engine.resources()
    destroyed = stack.engine.run("destroy", check=False)
    assert destroyed.code
    assert "protect" in destroyed.output
    left = stack.engine.resources()
    holding = {n for n, one in before.items() if data.holds_data(str(one["type"]), n)}
    assert holding <= left.keys()
    assert {n for n, one in left.items() if one.get("protect")} >= holding


_OTHERS: dict[str, dict[str, str]] = {
    "oci": {
        "name": "elsewhere",
        "region": "eu-amsterdam-1",
        "compartmentId": "ocid1.compartment.oc1..other",
    },
    "azure": {
        "name": "elsewhere",
        "region": "northeurope",
        "subscriptionId": "11111111-2222-4333-8444-555555555555",
        "resourceGroup": "other-group",
    },
}


def test_a_stack_that_is_up_is_moved_by_no_means(stack: Stack) -> None:
    before = stack.protected()
    for key, value in _OTHERS[stack.cloud].items():
        stack.configure(**{key: value})
        code, said = stack.up("--data", "replace:region,replace:group,replace:database")
        assert code == 1, said
        assert f"trackstack:{key}: a stack that is up stays where it is" in said
        plain = stack.engine.run("up", check=False)
        assert plain.code
        assert f"trackstack:{key}: a stack that is up stays where it is" in plain.output
    assert stack.protected() == before
    stack.configure()


def test_what_is_not_named_is_not_taken_and_stays_protected(stack: Stack) -> None:
    before = stack.protected()
    uri = "postgresql://mlflow@db.example/mlflow"
    stack.engine.run("config", "set", "--secret", "trackstack:backendStoreUri", uri)
    code, said = stack.up()
    assert code == 1, said
    assert "nothing was changed" in said
    named = set(said.rsplit("DATA=", 1)[1].strip().split(","))
    assert "delete:database" in named
    if len(named) > 1:
        # One of them alone is not enough, and loses its protection for the preview only.
        code, said = stack.up("--data", min(named))
        assert code == 1, said
        assert "nothing was changed" in said
    assert stack.protected() == before
    stack.configure()


def test_another_database_takes_the_one_before(stack: Stack) -> None:
    other = {
        "oci": {"database": "postgresql", "databaseShape": "PostgreSQL.VM.Standard.E4.Flex.2.32GB"},
        "azure": {"database": "mysql"},
    }
    stack.configure(**other[stack.cloud])
    code, said = stack.up()
    assert code == 1, said
    assert "delete:database" in said
    assert "left behind" in said
    stack.configure()
