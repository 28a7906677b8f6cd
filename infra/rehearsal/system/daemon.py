"""This machine's Docker: the daemon, a base image, a private registry, built images.

Each function finds or makes what it names and may be called any number of times. What is costly
and holds no state stays for the next run (the daemon, the base image, build layers); a
registry ends with the process that started it.
"""

import atexit
import base64
import functools
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.place import ROOT
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.system.locks import one_at_a_time

_IMAGES = Path(__file__).parents[1] / "images"
_TOOLS = ROOT / "tools" / "docker"
_LOCAL_CAS = Path("/usr/local/share/ca-certificates")
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


@dataclass(frozen=True)
class Registry:
    """A registry that asks for a password, its TLS by a private CA that the daemon trusts."""

    address: str
    """Host and port, the first part of an image's name."""
    ca_file: Path
    username: str
    password: str = field(repr=False)


def _tool(name: str, *arguments: str) -> str:
    """Run one of tools/docker; its messages go to stderr."""
    # They start the daemon and install Debian's packages.
    with one_at_a_time("system"):
        done = subprocess.run(
            [str(_TOOLS / name), *arguments], stdout=subprocess.PIPE, text=True, timeout=600
        )
    if done.returncode:
        raise RehearsalError(
            f"tools/docker/{name} ended with {done.returncode}; what it said stands above"
        )
    return done.stdout.strip()


@functools.cache
def ensure_daemon() -> None:
    """Have a Docker daemon answer on this machine; it keeps running."""
    _tool("daemon.sh")


@functools.cache
def base_image() -> str:
    """The name of a slim Python image to build on."""
    return _tool("base_image.sh")


@functools.cache
def registry() -> Registry:
    """This process's own registry on loopback, stopped at exit with all it holds."""
    ensure_daemon()
    temporary = tempfile.TemporaryDirectory(prefix="trackstack-registry-")
    directory = Path(temporary.name)
    atexit.register(temporary.cleanup)
    atexit.register(_tool, "registry.sh", "stop", str(directory))
    _tool("registry.sh", "start", str(directory))
    address, username, password = (
        (directory / name).read_text().strip() for name in ("address", "username", "password")
    )
    # The last that was registered is the first to run.
    atexit.register(forget_images, address)
    return Registry(address, directory / "ca.crt", username, password)


def forget_images(address: str) -> None:
    """Take the names of a registry that is no more off the daemon's images.

    An image that no other name holds goes with its last one; what the build keeps stays.
    """
    shown = "{{.Repository}} {{.Tag}} {{.Digest}}"
    listed = docker("image", "ls", "--digests", "--format", shown, check=False).splitlines()
    for repository, tag, digest in map(str.split, listed):
        if not repository.startswith(f"{address}/"):
            continue
        # With the last tag of an image, its digest goes too.
        for name in (f"{repository}:{tag}", f"{repository}@{digest}"):
            if "<none>" not in name:
                docker("image", "rm", "--no-prune", name, check=False)


def ca_bundle() -> Path | None:
    """The CA bundle that this machine trusts, where it has one."""
    given = [os.environ.get("SSL_CERT_FILE", ""), *_BUNDLES]
    return next((Path(path) for path in given if path and Path(path).is_file()), None)


def extra_ca() -> str:
    """This machine's own CAs in PEM, for the build argument EXTRA_CA; mostly none."""
    return "".join(path.read_text() for path in sorted(_LOCAL_CAS.rglob("*.crt")))


def docker(*arguments: str, check: bool = True) -> str:
    """Run the docker command; returns its standard output.

    Raises RehearsalError where it fails, unless ``check`` is false.
    """
    ensure_daemon()
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=1800)
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        command = next(word for word in arguments if word[0] not in "-/")
        raise RehearsalError(f"docker {command} ended with {done.returncode}: {said}")
    return done.stdout.strip()


def pull(image: str, username: str, password: str) -> None:
    """Pull an image with a login that is kept nowhere; raises RehearsalError where it fails."""
    server = image.partition("/")[0]
    with tempfile.TemporaryDirectory() as folder:
        login = ["docker", "--config", folder, "login", server, "--username", username]
        done = subprocess.run(
            [*login, "--password-stdin"], input=password, capture_output=True, text=True
        )
        if done.returncode:
            raise RehearsalError(f"docker login {server}: {done.stderr.strip()}")
        docker("--config", folder, "pull", "--quiet", image)


def build(
    tag: str,
    arguments: Mapping[str, str] | None = None,
    *,
    dockerfile: Path = ROOT / "runtime" / "Dockerfile",
    context: Path = ROOT,
    cache: bool = True,
) -> str:
    """Build an image on ``base_image``, this machine's CAs trusted; returns its ID."""
    given = {"BASE_IMAGE": base_image(), "EXTRA_CA": extra_ca(), **(arguments or {})}
    flags = [f"--build-arg={name}={value}" for name, value in given.items()]
    if not cache:
        flags.append("--no-cache")
    docker("build", "--quiet", "--tag", tag, "--file", str(dockerfile), *flags, str(context))
    return docker("image", "inspect", "--format", "{{.Id}}", tag)


def push(tag: str, config: Path) -> str:
    """Push an image by the logins in ``config``; returns its name by digest."""
    docker("--config", str(config), "push", "--quiet", tag)
    names = docker("image", "inspect", "--format", "{{json .RepoDigests}}", tag)
    # The daemon knows an equal image by the names of earlier registries too.
    repository = tag.rpartition(":")[0]
    return next(name for name in json.loads(names) if name.startswith(f"{repository}@"))


def logged_in(folder: Path) -> Path:
    """A folder of logins with that of this process's own registry."""
    own = registry()
    auth = base64.b64encode(f"{own.username}:{own.password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {own.address: {"auth": auth}}}))
    return folder


def pushed(image: str, name: str) -> str:
    """An image that the daemon has, pushed to this process's own registry; its name by digest."""
    tag = f"{registry().address}/rehearsal/{name}:pushed"
    docker("tag", image, tag)
    with tempfile.TemporaryDirectory() as folder:
        return push(tag, logged_in(Path(folder)))


@functools.cache
def built_image(name: str) -> str:
    """An image of ../images, built here in the place of one that a stack would pull."""
    context = _IMAGES / name
    tag = f"trackstack-rehearsal/{name}:built"
    build(tag, dockerfile=context / "Dockerfile", context=context)
    return tag
