"""Tasks of the container registry: a build, emulated by this machine's own daemon."""

import base64
import functools
import io
import json
import re
import secrets
import tarfile
import tempfile
from pathlib import Path
from typing import cast

from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.entra import DEPLOYER
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.host.endpoint import Request, Response
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.values import Props, child, items
from infra.rehearsal.system import daemon

_TOKEN_USER = "00000000-0000-0000-0000-000000000000"


def _receive(emulator: Emulator, request: Request) -> Response:
    """As Blob storage answers `Put Blob`."""
    if request.method != "PUT" or request.headers.get("x-ms-blob-type") != "BlockBlob":
        return Response(400)
    emulator.uploads[request.rest.lstrip("/")] = request.body
    return Response(201)


class GetUploadUrl(Function):
    token = "azure-native:containerregistry:listRegistryBuildSourceUploadUrl"

    def invoke(self, args: Props) -> Props:
        path = f"source/{secrets.token_hex(8)}.tar.gz"
        emulator: Emulator | None = getattr(self.cloud, "emulator", None)
        if emulator is None:
            return {"uploadUrl": "https://upload.example/source", "relativePath": path}
        endpoint = emulator.host.endpoint
        endpoint.routes["/upload"] = functools.partial(_receive, emulator)
        return {"uploadUrl": f"http://{endpoint.address}/upload/{path}", "relativePath": path}


class TaskRun(AzureResource):
    token = "azure-native:containerregistry:TaskRun"
    kind = "Microsoft.ContainerRegistry/registries/taskRuns"
    parents = ("registryName",)
    name_input = "taskRunName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        request = child(inputs, "runRequest")
        if request.get("type") != "DockerBuildRequest" or not request.get("sourceLocation"):
            raise refusal("InvalidRunRequest", "A build needs its type and a source location.")
        if not re.fullmatch(r"[a-zA-Z0-9-]{5,50}", str(inputs["taskRunName"])):
            raise refusal("TaskRunNameNotValid", "5 to 50 letters, digits and hyphens.")

    def compute(self, id: str, inputs: Props) -> Props:
        ready = {"provisioningState": "Succeeded"}
        return {**super().compute(id, inputs), **ready, "runResult": {"status": "Succeeded"}}

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        digest = f"sha256:{'0' * 64}"
        if self.emulator:
            digest = self._build(self.emulator, self.parent(inputs), child(inputs, "runRequest"))
        images = {"outputImages": [{"digest": digest}]}
        props["runResult"] = {"runId": "ca1", "status": "Succeeded", **images}
        return id, props

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)

    def _build(self, emulator: Emulator, registry: Props, request: Props) -> str:
        server = str(registry["loginServer"])
        [name] = cast("list[str]", request["imageNames"])
        arguments = [f"--build-arg={a['name']}={a['value']}" for a in items(request, "arguments")]
        with tempfile.TemporaryDirectory() as folder:
            context = io.BytesIO(emulator.uploads.pop(str(request["sourceLocation"])))
            with tarfile.open(fileobj=context) as archive:
                archive.extractall(Path(folder) / "context", filter="data")
            file = Path(folder) / "context" / str(request["dockerFilePath"])
            login = f"{_TOKEN_USER}:{emulator.entra.token(DEPLOYER)}".encode()
            known = {"auths": {server: {"auth": base64.b64encode(login).decode()}}}
            (Path(folder) / "config.json").write_text(json.dumps(known))
            for argument in items(request, "arguments"):
                # As the task does it, by its own right to the registry.
                if str(argument["value"]).startswith(f"{server}/"):
                    daemon.docker("--config", folder, "pull", "--quiet", argument["value"])
            tag = f"{server}/{name}"
            build = ("build", "--quiet", "--file", str(file), *arguments, "--tag", tag)
            daemon.docker(*build, str(Path(folder) / "context"))
            return daemon.push(tag, Path(folder)).rpartition("@")[2]
