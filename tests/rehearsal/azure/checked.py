"""A project whose stack is the real program's, but for the images, which are said to be there: on a
cloud that only checks what it is asked for, all of it comes up.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import yaml

from infra.clouds.shared.settled import SECONDS_VARIABLE
from infra.place import ROOT
from infra.rehearsal.azure import ids
from infra.rehearsal.azure.cloud import AzureCloud
from infra.rehearsal.engine import Engine

KEYS = {
    "cloud": "azure",
    "subscriptionId": ids.SUBSCRIPTION,
    "region": "westeurope",
    "allowedCidrs": ["203.0.113.0/24"],
}
SSH_KEY, OTHER_SSH_KEY = (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{43 * letter}" for letter in "AB")

# Where it is no Part, it is as in the first version.
_PROGRAM = """
from pulumi import Output
from pulumi_azure_native import containerregistry
from infra.clouds.azure import deploy
try:
    from infra.clouds.shared.part import Part
except ImportError:
    Part = None

class Images(Part or object):
    def __init__(self, plan, scope, identity):
        if Part:
            super().__init__("azure", "images")
            scope = scope.within(self)
        registry = containerregistry.Registry("registry", registry_name=plan.names.registry,
            sku=containerregistry.SkuArgs(name="Basic"), admin_user_enabled=False,
            anonymous_pull_enabled=False, **scope.inside, opts=scope.opts)
        identity.grant("may-pull", "AcrPull", registry.id)
        self.registry = registry.login_server
        self.runtime = self.proxy = Output.concat(registry.login_server, "/it@sha256:" + 64 * "0")

deploy.Images = Images

from infra.program import run
run()
"""


def made(folder: Path, providers: str) -> Engine:
    """An engine on a project in ``folder`` with this clone's program."""
    project = folder / "project"
    (project / "stacks").mkdir(parents=True)
    # Nothing runs there, and so nothing asks for a right.
    environment = {SECONDS_VARIABLE: "0"}
    engine = Engine(project, folder / "state", providers=providers, environment=environment)
    return with_program(engine, ROOT)


def with_program(engine: Engine, root: Path) -> Engine:
    """The same stack, run by the program whose files are below ``root``."""
    project = engine.project_dir
    described = yaml.safe_load((root / "Pulumi.yaml").read_text())
    (project / "Pulumi.yaml").write_text(yaml.safe_dump({**described, "main": "checked"}))
    # What was compiled of another one is of no use.
    shutil.rmtree(project / "checked", ignore_errors=True)
    (project / "checked").mkdir()
    (project / "checked" / "__main__.py").write_text(_PROGRAM)
    return replace(engine, environment={**engine.environment, "PYTHONPATH": str(root)})


def asked(cloud: AzureCloud) -> list[tuple[str, str]]:
    """What was asked of a cloud but for looks and previews: the method and the type, in order."""
    return [
        (entry["method"], entry["token"].removeprefix("azure-native:"))
        for entry in cloud.journal.entries()
        if entry["method"] in ("Create", "Update", "Delete")
    ]
