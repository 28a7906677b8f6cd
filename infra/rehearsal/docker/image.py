"""Images: built and pushed, pulled, tagged, looked up."""

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import docker.utils.build

from infra.rehearsal.docker.client import (
    Credentials,
    DaemonFunction,
    DaemonResource,
    found,
    last_line,
    refusals,
)
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.metadata import Problem
from infra.rehearsal.provider.values import Props, Unknown, child, items

_PLATFORMS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64", "arm64": "linux/arm64"}


_PLATFORM_TOLD = (
    "Building your image for {} architecture.\n"
    "To ensure you are building for the correct platform, consider explicitly setting the "
    "`platform` field on ImageBuildOptions."
)


def _here() -> str:
    return _PLATFORMS.get(platform.machine(), f"linux/{platform.machine()}")


class Image(DaemonResource):
    """Built from a folder and pushed; rebuilt when the folder's content changes, never deleted."""

    token = "docker:index/image:Image"
    volatile = frozenset({"repoDigest"})

    def defaults(self, inputs: Props) -> Props:
        build = inputs.get("build")
        if isinstance(build, Unknown):
            return {}
        given = cast("Props", build or {})
        context, dockerfile = self._context(given)
        if context is None or dockerfile is None or not dockerfile.is_file():
            return {}
        digest = _content_digest(context, dockerfile)
        return {"build": {"platform": _here(), **given, "contextDigest": digest}}

    def checked(self, inputs: Props, olds: Props, seed: bytes) -> tuple[Props, list[Problem]]:
        filled = {**inputs, **self.defaults(inputs)}
        if not isinstance(inputs.get("build"), Unknown) and not child(inputs, "build").get(
            "platform"
        ):
            self.cloud.say(_PLATFORM_TOLD.format(_here()), self.call.urn)
        return filled, [*self.problems(_without_digest(filled)), *self.check(filled)]

    def check(self, inputs: Props) -> Iterator[Problem]:
        if isinstance(inputs.get("build"), Unknown):
            return
        dockerfile = self._context(child(inputs, "build"))[1]
        if dockerfile is not None and not dockerfile.is_file():
            given = child(inputs, "build").get("dockerfile") or "Dockerfile"
            raise CloudError("Docker", f'could not open dockerfile at relative path "{given}"')
        name = inputs.get("imageName")
        if isinstance(name, str) and not inputs.get("skipPush") and "/" not in name:
            reason = f'"{name}" must be a fully qualified image name: registry/repository[:tag]'
            yield Problem("imageName", reason)

    def same(self, name: str, old: Any, new: Any) -> bool:
        # User and password may change often and need no build.
        if name == "registry" and isinstance(old, dict) and isinstance(new, dict):
            return cast("Props", old).get("server") == cast("Props", new).get("server")
        return super().same(name, old, new)

    def create(self, inputs: Props) -> tuple[str, Props]:
        return inputs["imageName"], self._build(inputs)

    def read(self, id: str, known: Props) -> Props | None:
        return known

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        return self._build(inputs)

    def _context(self, build: Props) -> tuple[Path | None, Path | None]:
        """Folder and Dockerfile of a build; None where a preview cannot know them."""
        given, dockerfile = build.get("context") or ".", build.get("dockerfile")
        if isinstance(given, Unknown) or isinstance(dockerfile, Unknown):
            return None, None
        program = self.cloud.program
        context = (program / cast("str", given)).resolve()
        return context, (program / dockerfile).resolve() if dockerfile else context / "Dockerfile"

    def _build(self, inputs: Props) -> Props:
        name, build = inputs["imageName"], child(inputs, "build")
        context, dockerfile = self._context(build)
        if context is None or dockerfile is None:
            raise CloudError("Docker", "the build's context and dockerfile must be known")
        self._run_build(name, build, context, dockerfile)
        with refusals():
            registry = cast("Props | None", inputs.get("registry"))
            if not inputs.get("skipPush"):
                _push(self.daemon, name, self.credentials(name, registry))
            built = self.daemon.inspect_image(name)
        repository = _repository(name)
        names = cast("list[str]", built["RepoDigests"] or [])
        digests = [name for name in names if name.startswith(f"{repository}@")]
        return {
            **inputs,
            "baseImageName": name,
            "context": build.get("context") or ".",
            "dockerfile": os.path.relpath(dockerfile, context),
            "platform": build.get("platform"),
            "registryServer": (registry or {}).get("server") or "",
            "repoDigest": built["Id"] if inputs.get("skipPush") else digests[-1],
        }

    def _run_build(self, name: str, build: Props, context: Path, dockerfile: Path) -> None:
        """By BuildKit, which docker's own client for Python does not ask for; what a failed step
        said is lost.
        """
        arguments = {
            "version": "2",
            "t": name,
            "dockerfile": os.path.relpath(dockerfile, context),
            "buildargs": json.dumps(child(build, "args")),
            "target": build.get("target"),
            "platform": build.get("platform"),
            "networkmode": build.get("network"),
            "extrahosts": ",".join(items(build, "addHosts")) or None,
            "cachefrom": json.dumps(items(child(build, "cacheFrom"), "images")),
        }
        # Packed, since by its first bytes alone BuildKit knows it for an archive.
        tar = cast("Any", docker.utils.build).tar(
            str(context),
            exclude=_ignored(context),
            dockerfile=(arguments["dockerfile"], None),
            gzip=True,
        )
        with refusals():
            answer = self.daemon._post(
                self.daemon._url("/build"),
                data=tar,
                params={key: value for key, value in arguments.items() if value is not None},
                headers={"Content-Type": "application/tar"},
                stream=True,
            )
            self.daemon._raise_for_status(answer)
            for line in self.daemon._stream_helper(answer, decode=True):
                if said := cast("Props", line).get("error"):
                    raise CloudError("Docker", f"error reading build output: {said}")


class RemoteImage(DaemonResource):
    """Present in the daemon: found there or pulled."""

    token = "docker:index/remoteImage:RemoteImage"
    replaced_by = frozenset({"name", "platform", "pullTriggers", "triggers", "build"})

    def create(self, inputs: Props) -> tuple[str, Props]:
        name = inputs["name"]
        with refusals():
            if not found(self.daemon.inspect_image, name):
                repository, tag = _split(name)
                last_line(
                    self.daemon.pull(
                        repository,
                        tag,
                        stream=True,
                        decode=True,
                        # Without a login of the provider's own it asks as nobody.
                        auth_config=self.credentials(name) or {},
                        platform=inputs.get("platform"),
                    )
                )
            image = self.daemon.inspect_image(name)
        return f"{image['Id']}{name}", {**inputs, **_outputs(image, name)}

    def read(self, id: str, known: Props) -> Props | None:
        with refusals():
            image = found(self.daemon.inspect_image, known["name"])
        return {**known, **_outputs(image, known["name"])} if image else None

    def delete(self, id: str, known: Props) -> None:
        with refusals():
            if not known.get("keepLocally") and found(self.daemon.inspect_image, known["name"]):
                self.daemon.remove_image(known["name"], force=known.get("forceRemove", False))


class Tag(DaemonResource):
    token = "docker:index/tag:Tag"
    replaced_by = frozenset({"sourceImage", "targetImage", "tagTriggers"})

    def create(self, inputs: Props) -> tuple[str, Props]:
        repository, tag = _split(inputs["targetImage"])
        with refusals():
            source = self.daemon.inspect_image(inputs["sourceImage"])
            self.daemon.tag(inputs["sourceImage"], repository, tag)
        id = f"{inputs['sourceImage']}.{inputs['targetImage']}"
        return id, {**inputs, "sourceImageId": source["Id"]}

    def read(self, id: str, known: Props) -> Props | None:
        with refusals():
            return known if found(self.daemon.inspect_image, known["targetImage"]) else None


class GetRemoteImage(DaemonFunction):
    token = "docker:index/getRemoteImage:getRemoteImage"

    def invoke(self, args: Props) -> Props:
        with refusals():
            image = found(self.daemon.inspect_image, args["name"])
        if image is None:
            raise CloudError("Docker", f"did not find docker image '{args['name']}'")
        return {"name": args["name"], "id": image["Id"], **_outputs(image, args["name"])}


def _outputs(image: Props, name: str) -> Props:
    digests = cast("list[str]", image["RepoDigests"] or [])
    mine = [digest for digest in digests if digest.startswith(f"{_repository(name)}@")]
    return {"imageId": image["Id"], "repoDigest": next(iter(mine or digests), "")}


def _push(daemon: Any, name: str, credentials: Credentials | None) -> None:
    repository, tag = _split(name)
    last_line(daemon.push(repository, tag, stream=True, decode=True, auth_config=credentials))


def _split(name: str) -> tuple[str, str]:
    if "@" in name:
        repository, digest = name.split("@", 1)
        return _repository(repository), digest
    repository = _repository(name)
    return repository, name[len(repository) + 1 :] or "latest"


def _repository(name: str) -> str:
    """The name without tag and digest; a colon before a slash is a port."""
    plain = name.split("@", 1)[0]
    return plain if ":" not in plain.rsplit("/", 1)[-1] else plain.rsplit(":", 1)[0]


def _content_digest(context: Path, dockerfile: Path) -> str:
    """Of all that the build can see: names, modes and contents."""
    patterns = _ignored(context)
    digest = hashlib.sha256(dockerfile.read_bytes())
    paths = cast("Any", docker.utils.build).exclude_paths(str(context), patterns)
    for name in sorted(cast("set[str]", paths)):
        path = context / name
        digest.update(f"{name}\0{path.lstat().st_mode}\0".encode())
        if path.is_symlink():
            digest.update(str(path.readlink()).encode())
        elif path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _ignored(context: Path) -> list[str]:
    ignore = context / ".dockerignore"
    lines = ignore.read_text().splitlines() if ignore.is_file() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _without_digest(inputs: Props) -> Props:
    """The inputs as the SDK knows them: the digest of the context is the provider's own."""
    build = inputs.get("build")
    if not isinstance(build, dict):
        return inputs
    known = {k: v for k, v in cast("Props", build).items() if k != "contextDigest"}
    return {**inputs, "build": known}
