"""The runtime image as this checkout builds it."""

import functools

from infra.rehearsal.system.daemon import build


@functools.cache
def runtime_image() -> str:
    """The name of the image, with the default extras."""
    build("trackstack/runtime:test")
    return "trackstack/runtime:test"
