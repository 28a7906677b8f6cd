"""The provider's conformance: what Pulumi promises, on the real engine."""

import os
import signal
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from infra.rehearsal.engine import Engine
from infra.rehearsal.provider.conditions import Fault
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.serving import serving
from tests.rehearsal import tiny

pytestmark = pytest.mark.slow

_PREAMBLE = """
import pulumi
from pulumi import ResourceOptions

class Thing(pulumi.CustomResource):
    key: pulumi.Output[str]
    name: pulumi.Output[str]
    revision: pulumi.Output[int]

    def __init__(self, title, props, opts=None):
        super().__init__("tiny:index:Thing", title, {"key": None, "revision": None, **props}, opts)
"""


@dataclass
class World:
    """A stack, and the cloud that it lives in."""

    engine: Engine
    cloud: Cloud

    def program(self, text: str) -> None:
        (self.engine.project_dir / "__main__.py").write_text(_PREAMBLE + text)

    def calls(self, method: str) -> list[str]:
        """The names of the resources that were given to a method, in order."""
        found = self.cloud.journal.entries(method)
        return [entry["urn"].rsplit("::", 1)[1] for entry in found]

    def names(self) -> list[str]:
        return sorted(record.props["name"] for record in self.cloud.store.all())


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: conformance\nruntime: python\n")
    cloud = tiny.open_cloud(tmp_path / "cloud")
    with serving(cloud) as providers:
        yield World(Engine(project, tmp_path / "pulumi", providers=providers), cloud)


def test_a_preview_knows_inputs_but_not_outputs_and_makes_nothing(world: World) -> None:
    world.program("""
a = Thing("a", {"name": "a", "size": 2})
b = Thing("b", {"name": a.key.apply(lambda key: "after-" + key)})
pulumi.export("size", a.name)
pulumi.export("key", a.key)
pulumi.export("found", pulumi.runtime.invoke("tiny:index:getThing", {}).value)
""")
    shown = world.engine.run("preview", "--json").stdout
    assert '"create": 3' in shown
    assert world.cloud.store.all() == []
    assert len(world.cloud.journal.entries("Create", preview=True)) == 2
    world.engine.run("up")
    outputs = world.engine.outputs()
    assert outputs["size"] == "a"
    assert outputs["key"] == "key-of-thing/north/a"
    assert world.names() == ["a", "after-key-of-thing/north/a"]

    world.program('Thing("a", {"name": "a", "size": 0})')
    refused = world.engine.run("preview", check=False)
    assert refused.code != 0
    assert "size must be 1 or more, got 0" in refused.output


def test_a_stack_lives_from_up_to_destroy_through_restarts_of_its_cloud(world: World) -> None:
    both = 'Thing("a", {"size": 1.0})\nThing("b", {"name": "b"})'
    world.program(both)
    world.engine.run("up")
    made = world.engine.resources()
    assert made["a"]["id"].startswith("thing/north/a-")
    again = world.engine.run("up", "--expect-no-changes")
    assert "3 unchanged" in again.output
    world.engine.run("refresh", "--expect-no-changes")

    # Another server, over the same state.
    with serving(restarted := tiny.open_cloud(world.cloud.state_dir)) as providers:
        engine = replace(world.engine, providers=providers)
        record = restarted.store.find("tiny:index:Thing", name="b")[0]
        restarted.store.put(record.id, record.token, {**record.props, "size": 7})
        restarted.store.delete(made["a"]["id"])
        refreshed = engine.run("refresh")
        assert "1 deleted" in refreshed.output
        assert "1 updated" in refreshed.output
        assert set(engine.resources()) == {"b"}
        engine.run("up")
        assert set(engine.resources()) == {"a", "b"}
        assert "size" not in restarted.store.find("tiny:index:Thing", name="b")[0].props
        engine.run("destroy")
        assert restarted.store.all() == []


def test_a_change_updates_and_a_fixed_property_replaces(world: World) -> None:
    world.program("""
a = Thing("a", {"name": "a", "size": 1, "spec": {"disk": 1, "cpu": 1}})
auto = Thing("auto", {"size": 1})
pulumi.export("revision", a.revision)
""")
    world.engine.run("up")
    first = world.engine.resources()
    world.program("""
a = Thing("a", {"name": "a", "size": 2, "spec": {"disk": 1, "cpu": 2}})
auto = Thing("auto", {"zone": "south"})
pulumi.export("revision", a.revision)
""")
    up = world.engine.run("up")
    assert "1 updated" in up.output
    assert "1 replaced" in up.output
    second = world.engine.resources()
    assert world.engine.outputs()["revision"] == 2
    assert second["a"]["id"] == first["a"]["id"]
    assert second["auto"]["id"] != first["auto"]["id"]
    # A generated name makes room for the new one before the old one goes.
    assert world.cloud.journal.entries()[-1]["method"] == "Delete"

    world.program("""
a = Thing("a", {"name": "a", "size": 2, "spec": {"disk": 2, "cpu": 2}})
child = Thing("child", {"name": a.key}, ResourceOptions(parent=a))
""")
    world.engine.run("up")
    methods = [
        (entry["method"], entry["urn"].rsplit("::", 1)[1])
        for entry in world.cloud.journal.entries()
        if entry["method"] in ("Create", "Delete")
    ]
    # A name that is kept cannot be there twice.
    assert methods.index(("Delete", "a")) < len(methods) - 1 - methods[::-1].index(("Create", "a"))


def test_secrets_stay_secret_in_the_state_and_in_the_journal(world: World) -> None:
    world.program("""
hidden = pulumi.Output.secret("open sesame")
a = Thing("a", {"name": "a", "password": hidden, "spec": {"disk": 1, "pins": ["1", hidden]}})
Thing("b", {"name": "b", "spec": {"token": a.key}})
pulumi.export("key", a.key)
""")
    world.engine.run("up")
    world.engine.run("refresh")
    state = world.engine.run("stack", "export").stdout
    for plain in ("open sesame", "key-of-thing"):
        assert plain not in state
        assert plain not in world.cloud.journal.path.read_text()
    assert world.engine.outputs()["key"] == "key-of-thing/north/a"
    record = world.cloud.store.find("tiny:index:Thing", name="a")[0]
    assert record.props["spec"] == {"disk": 1, "pins": ["1", "open sesame"]}
    assert world.engine.resources()["b"]["inputs"]["spec"]["token"]["ciphertext"]


def test_import_targets_protect_and_retain(world: World) -> None:
    made_by_hand = {"name": "old", "zone": "north", "size": 3, "key": "k", "revision": 1}
    world.cloud.store.put("thing/north/old", "tiny:index:Thing", made_by_hand)
    world.program("""
Thing("old", {"name": "old", "size": 3}, ResourceOptions(import_="thing/north/old", protect=True))
Thing("kept", {"name": "kept"}, ResourceOptions(retain_on_delete=True))
Thing("plain", {"name": "plain"})
""")
    plain = "urn:pulumi:test::conformance::tiny:index:Thing::plain"
    world.engine.run("up", "--target", plain)
    assert world.calls("Create") == ["plain"]
    world.engine.run("up")
    assert world.calls("Create") == ["plain", "kept"]
    assert world.engine.resources()["old"]["id"] == "thing/north/old"
    refused = world.engine.run("destroy", check=False)
    assert refused.code != 0
    assert "protected" in refused.output
    world.engine.run("state", "unprotect", "--all", "--yes")
    world.engine.run("destroy")
    assert world.names() == ["kept"]


def test_each_fault_ends_where_the_next_up_can_go_on(world: World) -> None:
    conditions = world.cloud.conditions
    world.program('Thing("a", {"name": "a"})\nThing("b", {"name": "b"})')
    conditions.add(Fault("Create", "error", nth=2), Fault("Create", "partial", nth=1))
    failed = world.engine.run("up", check=False)
    assert failed.code != 0
    assert "temporarily unavailable" in failed.output
    world.engine.run("up")
    assert world.names() == ["a", "b"]

    world.program("""
Thing("a", {"name": "a"})
Thing("b", {"name": "b"})
Thing("c", {"name": "c"})
""")
    conditions.add(Fault("Create", "lost", nth=1))
    failed = world.engine.run("up", check=False)
    assert "connection reset" in failed.output
    # What was made without our knowing stands in the way until it is imported or removed.
    failed = world.engine.run("up", check=False)
    assert "cannot create already existing resource" in failed.output
    for record in world.cloud.store.all():
        if record.props["name"] == "c":
            world.cloud.store.delete(record.id)
    world.engine.run("refresh")
    conditions.add(Fault("Create", "timeout"))
    world.program("""
soon = pulumi.CustomTimeouts(create="1s")
Thing("e", {"name": "e"}, ResourceOptions(custom_timeouts=soon))
""")
    failed = world.engine.run("up", check=False)
    assert "deadline exceeded" in failed.output
    conditions.quotas["tiny:index:Thing"] = len(world.cloud.store.all())
    assert "quota of tiny:index:Thing" in world.engine.run("up", check=False).output
    conditions.quotas.clear()
    conditions.lag = 3600
    world.engine.run("up")
    assert "1 deleted" in world.engine.run("refresh").output


def test_an_update_is_cancelled_cleanly_or_recovered_after_a_kill(world: World) -> None:
    world.program('Thing("a", {"name": "a"})')
    world.cloud.conditions.latency = 60
    running = world.engine.start("up")
    assert world.cloud.paused.wait(60)
    os.kill(running.pid, signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode != 0
    assert "pending_operations" not in world.engine.export()["deployment"]
    assert world.names() == []

    world.cloud.conditions.latency = 3
    running = world.engine.start("up")
    assert world.cloud.paused.wait(60)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    # The cloud goes on alone.
    deadline = time.monotonic() + 30
    while not world.names() and time.monotonic() < deadline:
        time.sleep(0.05)
    world.cloud.conditions.latency = 0
    assert world.names() == ["a"]
    world.engine.run("cancel", "--yes")
    (pending,) = world.engine.export()["deployment"]["pending_operations"]
    assert pending["type"] == "creating"
    world.engine.run("refresh", "--clear-pending-creates")
    world.engine.run("import", "tiny:index:Thing", "a", "thing/north/a", "--generate-code=false")
    world.engine.run("up", "--expect-no-changes")
    assert world.engine.resources()["a"]["id"] == "thing/north/a"
    assert world.names() == ["a"]
