"""On the real engine a change that Azure refuses makes another resource, the old one first."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from infra.rehearsal.azure import cloud as azure
from infra.rehearsal.engine import Engine
from infra.rehearsal.provider.serving import serving

_PROGRAM = """
from pulumi_azure_native import containerinstance as aci, resources
from infra.clouds.azure.parts import replaced_for
from infra.clouds.azure.server.container import _FIXED

group = resources.ResourceGroup("group", location="westeurope")
aci.ContainerGroup("it", resource_group_name=group.name, container_group_name="it",
    os_type="Linux", containers=[
        aci.ContainerArgs(name=name, image="IMAGE", resources=aci.ResourceRequirementsArgs(
            requests=aci.ResourceRequestsArgs(cpu=CPU, memory_in_gb=1)))
        for name in ("one", "two")],
    opts=replaced_for(*_FIXED))
"""


@pytest.mark.slow
def test_a_group_of_another_size_is_made_anew_and_of_another_image_is_not(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: rehearsal\nruntime: python\n")
    (project / "infra").symlink_to(Path(__file__).parents[3] / "infra")
    (project / "runtime").symlink_to(Path(__file__).parents[3] / "runtime")
    main = project / "__main__.py"
    cloud = azure.open_cloud(tmp_path / "clouds")
    engine = Engine(project, tmp_path / "pulumi")
    journal = tmp_path / "clouds" / "journal.jsonl"

    def asked() -> list[str]:
        """What was asked of the group since the last time."""
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        journal.write_text("")
        return [
            line["method"]
            for line in lines
            if line["token"].endswith(":ContainerGroup")
            and line["method"] in ("Create", "Update", "Delete")
            and not line.get("preview")
        ]

    with serving(cloud) as providers:
        engine = replace(engine, providers=providers)
        for image, cpu, calls in (
            ("a", "1", ["Create"]),
            ("b", "1", ["Update"]),
            ("b", "2", ["Delete", "Create"]),
        ):
            main.write_text(_PROGRAM.replace("IMAGE", image).replace("CPU", cpu))
            engine.run("up")
            assert asked() == calls
        engine.destroy()
