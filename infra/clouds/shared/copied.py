"""Copies an image to the stack's own registry, with the same digest; of one that is named by a
tag, what the tag names when the copy is made, for the clouds' machines.

The stack needs no right to the other registry then, outlives it, and can go back to what it ran
before.
"""

from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.shared import registry
from infra.clouds.shared.dynamic import DynamicProvider, Props
from infra.settings.common import DEFAULT_PLATFORM


class _CopiedImageProvider(DynamicProvider):
    # Logins are others at each `up`, and the copy is the same.
    computed = frozenset({"reference", "username", "password", "from_username", "from_password"})
    replaced_by = frozenset({"repository"})
    place = "repository"

    def apply(self, props: Props) -> Props:
        name, wanted = registry.source_of(props["image"])
        host = registry.registry_of(name)
        given = registry.Login(props["from_username"], props["from_password"])
        login = given if given.password else registry.login_of_docker(host)
        own = registry.Login(props["username"], props["password"])
        source = registry.Repository(name, login)
        has_digest = "@" in props["image"]
        digest = wanted if has_digest else registry.resolve(source, wanted, DEFAULT_PLATFORM)
        registry.copy(source, digest, registry.Repository(props["repository"], own))
        return {"reference": f"{props['repository']}@{digest}"}

    def remove(self, props: Props) -> None:
        """Leave it: it goes with the registry, and an earlier one may have to run again."""

    def drifted(self, props: Props) -> bool:
        return False


class CopiedImage(Resource, module="trackstack", name="CopiedImage"):
    """``reference`` is the image's full name, by digest, in ``repository``.

    ``password`` and ``from_password`` are the registries' of ``username``; without one for the
    source, what `docker login` keeps for it is used.
    """

    reference: Output[str]

    def __init__(
        self,
        name: str,
        image: str,
        *,
        repository: Input[str],
        username: str,
        password: Input[str],
        from_password: Input[str] = "",
        opts: ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "image": image,
            "repository": repository,
            "username": username,
            "password": Output.secret(password),
            "from_username": username,
            "from_password": Output.secret(from_password),
            "reference": None,
        }
        super().__init__(_CopiedImageProvider(), name, props, opts)
