"""The rehearsed Docker provider: real images, containers, networks and volumes."""

import json
import secrets
import urllib.request
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.rehearsal.docker import cloud as docker_cloud
from infra.rehearsal.docker.container import Container
from infra.rehearsal.docker.image import Image
from infra.rehearsal.docker.plugin import docker_provider
from infra.rehearsal.engine import Engine
from infra.rehearsal.provider.metadata import problems
from infra.rehearsal.provider.resource import Call
from infra.rehearsal.system import daemon
from infra.rehearsal.system.ports import find_free_port

_PROGRAM = """
import json
import os
import pulumi
import pulumi_docker as docker

config = json.loads(os.environ["TEST_CONFIG"])
name = config["name"]
password = pulumi.Output.secret(config["password"])
provider = docker.Provider("docker", registry_auth=[docker.ProviderRegistryAuthArgs(
    address=config["registry"], username=config["username"], password=password)])
opts = pulumi.ResourceOptions(provider=provider)
image = docker.Image("image",
    image_name=f"{config['registry']}/{name}:v1",
    build=docker.DockerBuildArgs(context=config["context"], args={"BASE": config["base"]}),
    registry=docker.RegistryArgs(
        server=config["registry"], username=config["username"], password=password),
    opts=opts)
network = docker.Network("network", name=name, opts=opts)
volume = docker.Volume("volume", name=name, opts=opts)
server = docker.Container("server",
    name=name,
    image=image.repo_digest,
    command=["python3", "-m", "http.server", "8000", "--directory", "/"],
    envs=["PLAIN=1", pulumi.Output.concat("SECRET=", pulumi.Output.secret("rose-bud"))],
    ports=[docker.ContainerPortArgs(internal=8000, external=config["port"], ip="127.0.0.1")],
    volumes=[docker.ContainerVolumeArgs(volume_name=volume.name, container_path="/data")],
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=["web"])],
    healthcheck=docker.ContainerHealthcheckArgs(
        start_period="0s", tests=["CMD", "python3", "-c",
               "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/note')"],
        interval="1s", timeout="5s", retries=20),
    wait=True, wait_timeout=60, restart="always", read_only=True, user="10001",
    capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
    memory=config["memory"], memory_swap=-1, cpus="0.5", opts=opts)
pulumi.export("digest", image.repo_digest)
"""


@pytest.fixture
def engine(tmp_path: Path, is_real_docker: bool) -> Generator[Engine]:
    daemon.ensure_daemon()
    project = tmp_path / "project"
    context = project / "app"
    context.mkdir(parents=True)
    (project / "Pulumi.yaml").write_text("name: containers\nruntime: python\n")
    (project / "__main__.py").write_text(_PROGRAM)
    (context / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY note /note\n")
    (context / "note").write_text("one\n")
    registry = daemon.registry()
    name = f"trackstack-test-{secrets.token_hex(4)}"
    config = {
        "name": name,
        "registry": registry.address,
        "username": registry.username,
        "password": registry.password,
        "context": str(context),
        "base": daemon.base_image(),
        "port": find_free_port(),
        "memory": 64,
    }
    with docker_provider(tmp_path / "cloud", is_real=is_real_docker) as (providers, plugin):
        environment = {"TEST_CONFIG": json.dumps(config)}
        engine = Engine(
            project,
            tmp_path / "pulumi",
            providers=providers,
            plugin=plugin,
            environment=environment,
        )
        try:
            yield engine
        finally:
            engine.destroy(check=False)
            daemon.docker("rm", "--force", "--volumes", name, check=False)
            daemon.docker("image", "rm", f"{registry.address}/{name}:v1", check=False)


@pytest.mark.slow
def test_the_images_of_a_registry_that_is_no_more_have_no_name_left() -> None:
    kept, gone = f"trackstack-test-{secrets.token_hex(4)}", f"localhost:1/{secrets.token_hex(4)}"
    daemon.ensure_daemon()
    base = daemon.base_image()
    names = [f"{gone}:a", f"{gone}/b:c", f"{gone}/b/c/d:e", f"{kept}/b:c"]
    for name in names:
        daemon.docker("tag", base, name)
    try:
        daemon.forget_images("localhost:1")
        shown = daemon.docker("image", "ls", "--format", "{{.Repository}}")
        assert gone not in shown
        assert kept in shown
        assert daemon.docker("image", "inspect", "--format", "{{.Id}}", base)
    finally:
        daemon.forget_images(kept)


def _config(engine: Engine) -> dict[str, str]:
    return json.loads(engine.environment["TEST_CONFIG"])


@pytest.mark.slow
def test_a_stack_of_containers_runs_drifts_changes_and_leaves_nothing(engine: Engine) -> None:
    config = _config(engine)
    name = config["name"]
    assert "Building your image for linux/" in engine.run("preview").output
    engine.run("up")
    outputs = engine.outputs()
    assert outputs["digest"].startswith(f"{config['registry']}/{name}@sha256:")
    with urllib.request.urlopen(f"http://127.0.0.1:{config['port']}/note", timeout=10) as page:
        assert page.read() == b"one\n"
    inspected = json.loads(daemon.docker("inspect", name))[0]
    assert inspected["Config"]["User"] == "10001"
    assert inspected["HostConfig"]["ReadonlyRootfs"]
    assert inspected["HostConfig"]["CapDrop"] == ["ALL"]
    assert inspected["HostConfig"]["NanoCpus"] == 500_000_000
    state = engine.run("stack", "export").stdout
    assert "rose-bud" not in state
    assert config["password"] not in state
    engine.run("up", "--expect-no-changes")

    # Memory is changed in place, and a container that is gone is made again.
    first = engine.resources()["server"]["id"]
    engine = replace(engine, environment={"TEST_CONFIG": json.dumps({**config, "memory": 96})})
    assert "1 updated" in engine.run("up").output
    assert engine.resources()["server"]["id"] == first
    limit = daemon.docker("inspect", "--format", "{{.HostConfig.Memory}}", name)
    assert limit == str(96 * 1024 * 1024)
    daemon.docker("rm", "--force", name)
    assert "1 deleted" in engine.run("refresh").output

    # Another content is another image, and that another container under the same name.
    (Path(config["context"]) / "note").write_text("two\n")
    up = engine.run("up").output
    assert "1 updated" in up
    assert "1 created" in up
    assert engine.outputs()["digest"] != outputs["digest"]
    assert daemon.docker("exec", name, "cat", "/note") == "two"
    engine.destroy()
    for kind in ("container", "network", "volume"):
        assert name not in daemon.docker(kind, "ls", *(["--all"] if kind == "container" else []))


def test_lists_without_an_order_are_equal_however_they_come_off_the_wire(tmp_path: Path) -> None:
    container = Container(Call(docker_cloud.open_cloud(tmp_path), {}))
    data = {"volumeName": "data", "containerPath": "/data"}
    logs = {"volumeName": "logs", "containerPath": "/logs"}
    assert container.same("volumes", [data, logs], [logs, dict(reversed(data.items()))])
    assert not container.same("volumes", [data], [data, logs])


def test_a_build_s_relative_paths_begin_in_the_folder_of_its_program(tmp_path: Path) -> None:
    cloud = docker_cloud.open_cloud(tmp_path / "cloud")
    cloud.program = tmp_path / "another" / "infra"
    cloud.program.mkdir(parents=True)
    image = Image(Call(cloud, {}))
    build = {"build": {"context": "..", "dockerfile": "../Dockerfile"}}
    assert image.defaults(build) == {}
    (tmp_path / "another" / "Dockerfile").write_text("FROM scratch\n")
    first = image.defaults(build)["build"]["contextDigest"]
    (tmp_path / "another" / "more").write_text("more\n")
    assert image.defaults(build)["build"]["contextDigest"] != first


def test_the_sdk_tells_what_is_missing_unknown_or_of_the_wrong_type() -> None:
    found = problems(
        "docker:index/container:Container",
        {"nmae": "x", "memory": "64", "ports": [{"external": 80}], "labels": {"a": "b"}},
    )
    assert {problem.path for problem in found} == {
        "image",
        "nmae",
        "memory",
        "ports[0].internal",
        "labels",
    }
