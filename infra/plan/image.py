"""Which runtime image a stack runs: one that is there, or one that is built."""

from dataclasses import dataclass
from pathlib import Path

from infra.errors import StackError
from infra.plan.place import Place
from infra.settings.common import DEFAULT_PLATFORM, Common
from infra.settings.image import DEFAULT_BASE, ImageKeys
from runtime.artifacts.extras import STORE_EXTRAS

# A build argument is a variable of the build's steps, and a word of the command that builds: with
# its name none is longer than 32 pages on Linux, see MAX_ARG_STRLEN in execve(2).
_LONGEST_CA = 32 * 4096 - len("--build-arg=EXTRA_CA=") - 1


@dataclass(frozen=True)
class ImagePlan:
    """``digest`` names an image that is there; without it, one is built from ``root``.

    ``arguments`` are the Dockerfile's build arguments; none is secret. ``inputs`` are the paths
    under ``root`` that the build can see. ``version`` names what is in it. ``platform`` is what the
    machines are that run it, as Docker names it.
    """

    digest: str | None
    root: Path
    dockerfile: str
    inputs: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    version: str
    platform: str = DEFAULT_PLATFORM

    @property
    def trusted(self) -> str:
        """The certificates in PEM that the stack file says to trust beside the system's."""
        return dict(self.arguments).get("EXTRA_CA", "")


def _extra_ca(keys: ImageKeys, place: Place) -> str:
    if not keys.extra_ca_file:
        return ""
    text = place.texts["extraCaFile"]
    if "PRIVATE KEY" in text or "BEGIN CERTIFICATE" not in text:
        path = place.path(keys.extra_ca_file)
        raise StackError(
            f"trackstack:extraCaFile: {path} must hold certificates in PEM, and no private key"
        )
    if (size := len(text.encode())) > _LONGEST_CA:
        raise StackError(
            f"trackstack:extraCaFile: {place.path(keys.extra_ca_file)} has {size} bytes, and a "
            f"build takes at most {_LONGEST_CA}; name your own authorities alone: the base image's "
            "are trusted beside them"
        )
    return text


def store_extras(*destinations: str | None) -> tuple[str, ...]:
    """The optional dependencies that addresses of artifacts or backups need, by their schemes."""
    schemes = {(destination or "").partition(":")[0] for destination in destinations}
    return tuple(sorted(STORE_EXTRAS[scheme] for scheme in schemes & STORE_EXTRAS.keys()))


def plan_image(
    settings: Common,
    keys: ImageKeys,
    place: Place,
    extras: tuple[str, ...],
    platform: str = DEFAULT_PLATFORM,
) -> ImagePlan:
    """The image for these keys, with the optional dependencies ``extras``.

    Raises StackError where extraCaFile holds no certificates.
    """
    named = sorted({*extras, *(("oidc",) if settings.oidc_issuer else ())})
    arguments = {
        "BASE_IMAGE": keys.base_image or DEFAULT_BASE,
        "EXTRAS": ",".join(named),
        "EXTRA_PACKAGES": " ".join(keys.extra_packages),
        "MLFLOW": keys.mlflow_version or "",
        "EXTRA_CA": _extra_ca(keys, place),
    }
    return ImagePlan(
        digest=keys.image,
        root=place.root,
        dockerfile="runtime/Dockerfile",
        inputs=("pyproject.toml", "requirements.lock", "runtime"),
        arguments=tuple(sorted((name, value) for name, value in arguments.items() if value)),
        version=place.version,
        platform=platform,
    )
