"""What the clouds would answer: the rehearsal's own, which here only check."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import pulumi

from infra.rehearsal.dump.recording import MASK, opened
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Call, Cloud
from infra.rehearsal.provider.values import Props
from infra.rehearsal.serve import load

# It would ask a daemon.
_DOCKER = "docker"
_PULLED = "docker:index/remoteImage:RemoteImage"
_DIGEST = f"sha256:{'0' * 64}"
BUILT = f"registry.example/trackstack@{_DIGEST}"
# What is made on the deployer's machine or in a registry; the mocks do not mark secret outputs.
_MADE: dict[str, Props] = {
    "docker:index/image:Image": {"repoDigest": BUILT},
    "azure-native:containerregistry:TaskRun": {
        "runResult": {"outputImages": [{"digest": _DIGEST}]}
    },
    "trackstack:GeneratedSecret": {"value": MASK},
    "trackstack:CopiedImage": {"reference": BUILT},
    "trackstack:CertificateAuthority": {"certificate": "CERTIFICATE", "key": MASK},
}
_DYNAMIC = re.compile(r"^pulumi-python:dynamic/")


class Answers(pulumi.runtime.Mocks):
    """Ids and outputs as the rehearsed clouds give them; ``folder`` holds what they know.

    What they would refuse is recorded all the same: whether a cloud takes it is for the reader.
    """

    def __init__(self, providers: Sequence[str], folder: Path) -> None:
        self._clouds = [load(name, folder) for name in providers if name != _DOCKER]
        for made in self._clouds:
            # Two dumps of the same stack are the same.
            made.draws_ids = False
        self._kinds = {kind.token: (c, kind) for c in self._clouds for kind in c.resources}
        self._functions = {f.token: (c, f) for c in self._clouds for f in _functions(c)}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, Props]:
        inputs = cast("Props", opened(cast("Any", args).inputs))
        token = _DYNAMIC.sub("", args.typ)
        id_, props = self._created(token, args.name, inputs)
        if token == _PULLED:
            props = {**props, "imageId": f"the ID of {inputs.get('name')}"}
        return id_, {**inputs, **props, **_MADE.get(token, {})}

    def _created(self, token: str, name: str, inputs: Props) -> tuple[str, Props]:
        if token not in self._kinds:
            return name, {}
        cloud, kind = self._kinds[token]
        resource = kind(Call(cloud, {}, name, f"urn:{token}:{name}"))
        filled, _ = resource.checked(inputs, {}, b"")
        try:
            id_, props = resource.create(filled)
        except (CloudError, LookupError):
            # It stands on something that is there already, which no rehearsed cloud knows.
            return name, filled
        cloud.store.put(id_, token, props)
        return id_, props

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        if args.token not in self._functions:
            return {}
        cloud, function = self._functions[args.token]
        try:
            return function(Call(cloud, {})).invoke(cast("Props", cast("Any", args).args))
        except CloudError:
            # As of what it would make of it.
            return {}


def _functions(cloud: Cloud) -> Iterable[Any]:
    return cloud.functions
