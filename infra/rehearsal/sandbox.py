"""A sandbox: the user's stack file in a project of its own, on rehearsed clouds.

The program is the user's; what it cannot have here is replaced, and said: a port that is free, a
data directory that is nobody's, a registry on loopback, images where none can be pulled. Secrets of
the stack file stay where they are: a rehearsal needs none of them.
"""

import functools
import ipaddress
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import yaml

from infra.errors import StackError
from infra.operations.stack import file as stack_file
from infra.place import ROOT
from infra.rehearsal.docker.plugin import find as find_plugin
from infra.rehearsal.engine import Engine
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.host.authority import Authority
from infra.rehearsal.host.connect_proxy import connect_proxy
from infra.rehearsal.keys import replaced_keys
from infra.rehearsal.keys.shared import PREFIX
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.serving import serving
from infra.rehearsal.serve import load
from infra.rehearsal.system import daemon
from infra.settings import CLOUDS, model_of

# What is on this machine itself, the registry among it.
_DIRECT = "localhost,127.0.0.1,::1,ip6-localhost"
# An address of documentation, which no rule lets in.
_NOBODY = "192.0.2.1"


@dataclass(frozen=True)
class Sandbox:
    """A prepared stack; ``replaced`` has a line for each key that differs from the stack file.

    ``plugin`` is the real Docker provider, where that is in place of the stand-in.
    """

    engine: Engine
    clouds: tuple[Cloud, ...]
    folder: Path
    config: dict[str, Any]
    replaced: tuple[str, ...]
    is_on_docker: bool = False
    plugin: Path | None = None

    @contextmanager
    def client(self, caller: str = "") -> Generator[dict[str, str]]:
        """The environment in which a client of the stack finds and trusts it.

        ``caller`` is the address that it calls from; without one, from one that is allowed.
        """
        outputs = self.engine.outputs()
        environment = {
            "MLFLOW_TRACKING_URI": outputs["tracking_uri"],
            "MLFLOW_TRACKING_TOKEN": outputs["tracking_token"],
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
            # As a browser trusts what the platform's certificates are signed by.
            "REQUESTS_CA_BUNDLE": str(_trusted(self.folder)),
        }
        if "ca_certificate" in outputs:
            authority = self.folder / "authority.pem"
            authority.write_text(outputs["ca_certificate"])
            environment["MLFLOW_TRACKING_SERVER_CERT_PATH"] = str(authority)
        if urlsplit(str(outputs["tracking_uri"])).hostname in ("127.0.0.1", "localhost"):
            yield environment
            return
        known = functools.partial(_resolve, self.clouds, caller=caller or self._allowed())
        with connect_proxy(known) as proxy:
            yield {**environment, "HTTPS_PROXY": proxy, "NO_PROXY": _DIRECT}

    def run_client(self, code: str, caller: str = "") -> "subprocess.CompletedProcess[str]":
        """Run Python with the real MLflow client as ``client``, through a proxy of its own."""
        with self.client(caller) as environment:
            return subprocess.run(
                [sys.executable, "-c", f"import mlflow\nclient = mlflow.MlflowClient()\n{code}"],
                cwd=ROOT,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=300,
            )

    def _allowed(self) -> str:
        cidrs = cast("list[str]", self.config.get(f"{PREFIX}allowedCidrs") or ["0.0.0.0/0"])
        return str(ipaddress.ip_network(cidrs[0])[1])


def _resolve(clouds: Iterable[Cloud], hostname: str, caller: str = _NOBODY) -> str | None:
    found = (cloud.resolve(hostname, caller) for cloud in clouds)
    return next((address for address in found if address), None)


def read_stack_file(stack: str) -> dict[str, Any]:
    """The plain keys of a stack file, or of the example of its name.

    Raises RehearsalError where it cannot be read.
    """
    try:
        return stack_file.read(stack_file.find(stack, ROOT))
    except (StackError, OSError) as error:
        raise RehearsalError(str(error)) from None


@contextmanager
def deployed(stack: str, overrides: Mapping[str, Any] | None = None) -> Generator[Sandbox]:
    """``prepared``, with the stack up in it; at its end, nothing of it is on this machine."""
    with (
        tempfile.TemporaryDirectory(prefix="trackstack-") as folder,
        prepared(stack, Path(folder), overrides) as sandbox,
    ):
        try:
            sandbox.engine.run("up")
            yield sandbox
        finally:
            sandbox.engine.destroy(check=False)
            for cloud in sandbox.clouds:
                cloud.sweep()


@contextmanager
def prepared(
    stack: str,
    folder: Path,
    overrides: Mapping[str, Any] | None = None,
    *,
    real_docker: bool = False,
    rights: float | None = None,
) -> Generator[Sandbox]:
    """Prepare a sandbox for ``stack`` under ``folder``; its clouds serve until the context ends.

    ``overrides`` are keys that are to be other than in the stack file. ``real_docker`` takes
    Docker's own provider, and raises RehearsalError where this machine has none. ``rights`` are
    seconds before the clouds' services know of a new right, without it those of the rehearsal.
    """
    given = {f"{PREFIX}{key}": value for key, value in (overrides or {}).items()}
    config = {**read_stack_file(stack), **given}
    cloud = config.get(f"{PREFIX}cloud", "local")
    if cloud not in CLOUDS:
        known = ", ".join(CLOUDS)
        raise RehearsalError(f"stacks of {cloud} cannot be rehearsed; those of {known} can")
    compute = config.get(f"{PREFIX}compute")
    names = model_of({"cloud": cloud} | ({"compute": compute} if compute else {})).providers
    if names:
        daemon.ensure_daemon()
    is_on_docker = bool(names)
    plugin = find_plugin() if real_docker and is_on_docker else None
    names = [name for name in names if name != "docker" or plugin is None]
    # Beside the user's own stack of this name, which may be up.
    name = f"{stack}-rehearsal-{secrets.token_hex(3)}"
    clouds = tuple(load(provider, folder / "clouds", emulates=True) for provider in names)
    if rights is not None:
        for made in clouds:
            made.conditions.rights = rights
    keys = replaced_keys(cloud, config, folder)
    for made in clouds:
        keys |= made.keys()
    changed = {f"{PREFIX}{key}": value for key, value in keys.items()}
    replaced = tuple(
        f"{key}: {config.get(key, '(default)')} -> {value}" for key, value in changed.items()
    )
    config = {k: v for k, v in {**config, **changed}.items() if v is not None}
    project = _make_project(folder, name, config)
    with ExitStack() as stack_of:
        providers = stack_of.enter_context(serving(*clouds)) if clouds else ""
        # The deployer's tools reach the cloud's endpoints as its clients reach the server.
        proxy = stack_of.enter_context(connect_proxy(functools.partial(_resolve, clouds)))
        engine = Engine(
            project,
            folder / "state",
            stack=name,
            providers=providers,
            plugin=plugin,
            environment={
                # Without this there is no option --event-log.
                "PULUMI_DEBUG_COMMANDS": "true",
                "SSL_CERT_FILE": str(_trusted(folder)),
                **({"HTTPS_PROXY": proxy, "NO_PROXY": _DIRECT} if cloud != "local" else {}),
                **{k: v for made in clouds for k, v in made.environment().items()},
            },
        )
        if "registryUser" in keys:
            password = daemon.registry().password
            engine.run("config", "set", "--secret", f"{PREFIX}registryPassword", password)
        yield Sandbox(engine, clouds, folder, config, replaced, is_on_docker, plugin)


def _trusted(folder: Path) -> Path:
    """What this machine trusts, and the rehearsal's own certificate authority."""
    file, system = folder / "trusted.pem", daemon.ca_bundle()
    file.write_text(f"{system.read_text() if system else ''}\n{Authority.load().certificate}\n")
    return file


def _make_project(folder: Path, stack: str, config: dict[str, Any]) -> Path:
    project = folder / "project"
    (project / "stacks").mkdir(parents=True)
    shutil.copy(ROOT / "Pulumi.yaml", project)
    (project / "infra").symlink_to(ROOT / "infra")
    path = project / "stacks" / f"Pulumi.{stack}.yaml"
    path.write_text(yaml.safe_dump({"config": config}))
    return project
