"""What an artifact store's scheme needs installed."""

from collections.abc import Iterable
from importlib.util import find_spec

from runtime.errors import UserError

# Scheme of a destination -> extra of pyproject.toml, and a package that is there with it.
STORE_EXTRAS = {"wasbs": "azure", "oci": "oci", "s3": "s3"}
PACKAGES = {"azure": "azure.storage.blob", "oci": "oci", "s3": "boto3"}


def check_installed(uris: Iterable[str]) -> None:
    """Raise UserError where a destination's library is not there, with how it gets there."""
    for uri in uris:
        extra = STORE_EXTRAS.get(uri.partition(":")[0])
        if extra and not _is_there(PACKAGES[extra]):
            raise UserError.of_extra(f"the artifact store {uri}", extra)


def _is_there(package: str) -> bool:
    """Whether a package can be imported; imports those above it alone."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False
