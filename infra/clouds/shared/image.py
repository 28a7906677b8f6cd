"""The runtime image: built by the Docker daemon of this machine, pushed, and named by digest."""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pulumi_docker as docker
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.clouds.shared import content
from infra.plan.image import ImagePlan
from infra.settings.common import DEFAULT_PLATFORM

_IGNORED = ".dockerignore"
_KEPT_SECONDS = 24 * 3600


def files(plan: ImagePlan) -> list[Path]:
    """All that the build can see, in a fixed order (.dockerignore says the same)."""
    return content.files(plan.root, plan.inputs)


def content_tag(plan: ImagePlan) -> str:
    """A tag that is another when anything that goes into the image is another."""
    # Images of before there was a choice were for this one, and have their tags.
    platform = () if plan.platform == DEFAULT_PLATFORM else (plan.platform,)
    return content.digest(plan.root, plan.inputs, plan.arguments, *platform)


def context(plan: ImagePlan) -> Path:
    """A copy of all that the build can see, where files have the same rights in every checkout.

    It is made where there is none of this content; those of other contents go after a day.
    """
    folder = plan.root / ".trackstack" / "context"
    target = folder / content.digest(plan.root, (_IGNORED, *plan.inputs))
    if not target.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if old.stat().st_mtime < time.time() - _KEPT_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        made = Path(tempfile.mkdtemp(dir=folder))
        for file in [plan.root / _IGNORED, *files(plan)]:
            copy = made / file.relative_to(plan.root)
            copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            copy.chmod(content.rights(file))
        try:
            made.rename(target)
        except OSError:
            # Another `up` of this checkout was first.
            shutil.rmtree(made)
    return target


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
        # Relative to the program's folder, where the engine starts the provider: another checkout
        # of the same content is no change.
        root = os.path.relpath(context(plan))
        return docker.Image(
            f"{name}-build",
            image_name=Output.concat(repository, ":", content_tag(plan)),
            build=docker.DockerBuildArgs(
                context=root,
                dockerfile=f"{root}/{plan.dockerfile}",
                # No commit: the same content is the same image, whoever's checkout it is.
                args={**dict(plan.arguments), "VERSION": plan.version},
                platform=plan.platform,
            ),
            registry=registry,
            skip_push=registry is None,
            opts=ResourceOptions(parent=self),
        )
