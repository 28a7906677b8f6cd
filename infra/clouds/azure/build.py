"""The runtime image built by a task of the container registry, where no Docker daemon is at hand.

https://learn.microsoft.com/azure/container-registry/container-registry-tasks-overview
"""

import io
import tarfile
import urllib.request

import pulumi
from pulumi import Input, InvokeOutputOptions, Output, ResourceOptions
from pulumi_azure_native import containerregistry as acr

from infra.clouds.azure.scope import Scope
from infra.clouds.shared import content
from infra.clouds.shared.image import content_tag, files
from infra.plan.image import ImagePlan

# The build argument that names the image to build on.
BASE = "BASE_IMAGE"
_LONGEST_SECONDS = 3600
_UPLOAD_SECONDS = 300


def build_image(
    plan: ImagePlan,
    base: Input[str],
    scope: Scope,
    registry: acr.Registry,
    server: Input[str],
    repository: str,
) -> Output[str]:
    """Build on ``base``, which is in this registry, and push; returns the image's full name, by
    digest.
    """
    # Its own base is part of what a task was given.
    tag = f"{content_tag(plan)}-on-copy"
    told = acr.list_registry_build_source_upload_url_output(
        **scope.nested,
        registry_name=registry.name,
        opts=InvokeOutputOptions(provider=scope.opts.provider),
    )
    run = acr.TaskRun(
        # Another one for other content: what it was given is gone by the next `up`.
        f"image-{tag}",
        task_run_name=f"image-{tag}",
        registry_name=registry.name,
        force_update_tag=tag,
        run_request=acr.DockerBuildRequestArgs(
            type="DockerBuildRequest",
            image_names=[f"{repository}:{tag}"],
            is_push_enabled=True,
            docker_file_path=plan.dockerfile,
            source_location=told.apply(lambda given: _upload(plan, given)),
            arguments=[
                acr.ArgumentArgs(name=name, value=value)
                for name, value in {**dict(plan.arguments), BASE: base}.items()
            ],
            credentials=acr.CredentialsArgs(
                source_registry=acr.SourceRegistryCredentialsArgs(login_mode="Default")
            ),
            platform=acr.PlatformPropertiesArgs(
                os="Linux", architecture=plan.platform.rpartition("/")[2]
            ),
            timeout=_LONGEST_SECONDS,
        ),
        **scope.nested,
        location=scope.region,
        opts=ResourceOptions.merge(
            scope.opts, ResourceOptions(ignore_changes=["runRequest.sourceLocation"])
        ),
    )
    return Output.concat(server, f"/{repository}@", run.run_result.apply(_digest))


def _digest(result: acr.outputs.RunResponse) -> str:
    images = result.output_images
    if not images:
        raise pulumi.RunError(
            f"the registry's task {result.run_id} built no image ({result.status}); "
            "its log: az acr task logs"
        )
    return str(images[0].digest)


def _upload(plan: ImagePlan, told: acr.ListRegistryBuildSourceUploadUrlResult) -> str:
    """Send the build's context, but in a preview; returns where the registry has it."""
    if not pulumi.runtime.is_dry_run():
        request = urllib.request.Request(  # noqa: S310 - Azure's own
            str(told.upload_url),
            data=packed(plan),
            method="PUT",
            headers={"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_UPLOAD_SECONDS):  # noqa: S310
                pass
        except OSError as error:
            reason = getattr(error, "code", None) or error
            raise pulumi.RunError(
                f"the build's context cannot be sent to the registry ({reason}); run `up` again"
            ) from None
    return str(told.relative_path)


def packed(plan: ImagePlan) -> bytes:
    """The build's context as a tar, compressed: about a megabyte."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as archive:
        for file in files(plan):
            entry = archive.gettarinfo(file, file.relative_to(plan.root).as_posix())
            entry.mode = content.rights(file)
            with file.open("rb") as read:
                archive.addfile(entry, read)
    return into.getvalue()
