"""The runtime image: built by the Docker daemon of this machine, pushed, and named by digest."""

import os
import subprocess
from pathlib import Path

import pulumi_docker as docker
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.clouds.shared import content
from infra.plan.image import ImagePlan


def files(plan: ImagePlan) -> list[Path]:
    """All that the build can see, in a fixed order (.dockerignore says the same)."""
    return content.files(plan.root, plan.inputs)


def content_tag(plan: ImagePlan) -> str:
    """A tag that is another when anything that goes into the image is another."""
    return content.digest(plan.root, plan.inputs, plan.arguments)


def revision(plan: ImagePlan) -> str:
    """The commit that last changed what goes into the image; empty outside a repository."""
    command = ["git", "-C", str(plan.root), "log", "-1", "--format=%H", "--", *plan.inputs]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


class RuntimeImage(ComponentResource):
    """One build for every cloud. ``reference`` is ``repository@sha256:…``; of an image that is
    pushed nowhere (no ``registry``), its ID.

    An image that the plan names by digest is neither built nor pushed. ``repository`` is the full
    name, without a tag.
    """

    reference: Output[str]

    def __init__(
        self,
        name: str,
        plan: ImagePlan,
        *,
        repository: Input[str],
        registry: docker.RegistryArgs | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("trackstack:shared:RuntimeImage", name, None, opts)
        if plan.digest:
            self.reference = Output.from_input(plan.digest)
        else:
            self.reference = self._build(name, plan, repository, registry).repo_digest
        self.register_outputs({"reference": self.reference})

    def _build(
        self,
        name: str,
        plan: ImagePlan,
        repository: Input[str],
        registry: docker.RegistryArgs | None,
    ) -> docker.Image:
        tag = content_tag(plan)
        labels = {"VERSION": plan.version, "REVISION": revision(plan)}
        # Relative to the program's folder, where the engine starts the provider: another checkout
        # of the same content is no change.
        root = os.path.relpath(plan.root)
        return docker.Image(
            f"{name}-build",
            image_name=Output.concat(repository, ":", tag),
            build=docker.DockerBuildArgs(
                context=root,
                dockerfile=f"{root}/{plan.dockerfile}",
                args={**dict(plan.arguments), **{k: v for k, v in labels.items() if v}},
            ),
            registry=registry,
            skip_push=registry is None,
            opts=ResourceOptions(parent=self),
        )
