"""The keys of a stack that runs the runtime image."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel

from infra.settings.common import Keys, wrong
from infra.settings.values import Digest, Line, Lines

# What the image is built on.
DEFAULT_BASE = "docker.io/library/python:3.12-slim-bookworm"
# The minor versions of MLflow that are tested; the first is the one without the key, and that of
# stacks that run no image.
MlflowVersion = Literal["3.17", "3.16"]


class ImageKeys(Keys):
    """The keys of a stack that runs the runtime image."""

    image: Digest | None = Field(
        None,
        description="Run this image, by digest (another stack's output `image`), instead of "
        "building one; on a cloud it is copied, as it is, to the stack's own registry.",
    )
    base_image: Line | None = Field(
        None,
        description=f"A Debian with Python 3.10 or newer to build on; without it `{DEFAULT_BASE}`.",
    )
    mlflow_version: MlflowVersion | None = Field(
        None,
        description="The minor version of MLflow in the image; without it the newest. A store goes "
        "up with `make up` and does not come down again but by a backup.",
    )
    extra_packages: Lines = Field(
        (), description="More Python packages for the image, as pip names them."
    )
    extra_ca_file: Line | None = Field(
        None,
        description="A file of certificate authorities to trust, in PEM, while building and after.",
    )

    @model_validator(mode="after")
    def _nothing_to_build(self) -> "ImageKeys":
        if self.image:
            for key in ("base_image", "mlflow_version", "extra_packages", "extra_ca_file"):
                if getattr(self, key):
                    raise wrong(to_camel(key), "means nothing where image names one that is built")
        return self
