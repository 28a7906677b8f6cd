"""Copying an image between registries as it is, so that its digest stays.

By the API of https://github.com/opencontainers/distribution-spec: a daemon that pulls and pushes
again may compress layers anew, and the copy would be another image.
"""

import base64
import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin

import requests

from runtime.errors import UserError

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
DOCKER_HUB = "docker.io"
# Where it answers.
_HUB_HOST = "registry-1.docker.io"
# What `docker login` calls it.
_HUB_KEY = "https://index.docker.io/v1/"
_TIMEOUT_SECONDS = 60
_CHUNK = 1 << 20
_CERTIFICATES = Path("/etc/docker/certs.d")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class RefusedError(UserError):
    """The registry does not know a login, or does not let it."""


@dataclass(frozen=True)
class Login:
    """A registry's user and password, or none to speak of."""

    username: str = ""
    password: str = field(default="", repr=False)


def registry_of(image: str) -> str:
    """The registry of an image's name, as Docker reads it."""
    first, sign, _ = image.partition("/")
    named = bool(sign) and ("." in first or ":" in first or first == "localhost")
    return first if named else DOCKER_HUB


def source_of(image: str) -> tuple[str, str]:
    """``host/path`` of an image and its digest, else its tag, as Docker reads them."""
    name, _, digest = image.partition("@")
    before, sign, tag = name.rpartition(":")
    if sign and "/" not in tag:
        name = before
    else:
        tag = "latest"
    host = registry_of(name)
    path = name if host not in name.split("/")[:1] else name.partition("/")[2]
    if host == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return f"{host}/{path}", digest or tag


def login_of_docker(host: str) -> Login:
    """What `docker login` keeps for a registry on this machine; an empty one where it has none.

    A file that REGISTRY_AUTH_FILE names, as podman's and skopeo's logins do, goes before.
    """
    host = _HUB_KEY if host == DOCKER_HUB else host
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    named = os.environ.get("REGISTRY_AUTH_FILE")
    try:
        file = Path(named) if named else folder / "config.json"
        config: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):
        return Login()
    if helper := config.get("credHelpers", {}).get(host) or config.get("credsStore"):
        command = [f"docker-credential-{helper}", "get"]
        try:
            done = subprocess.run(command, input=host, capture_output=True, text=True, timeout=60)
            given = json.loads(done.stdout)
            return Login(given["Username"], given["Secret"])
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
            return Login()
    encoded = config.get("auths", {}).get(host, {}).get("auth", "")
    username, _, password = base64.b64decode(encoded).decode().partition(":")
    return Login(username, password)


class Repository:
    """``host/path`` in a registry, with the authorities that Docker trusts for it."""

    def __init__(self, name: str, login: Login) -> None:
        self.host, _, self.path = name.partition("/")
        self._login = login
        self._session = requests.Session()
        authority = _CERTIFICATES / self.host / "ca.crt"
        given = os.environ.get("SSL_CERT_FILE")
        self._verify: str | bool = str(authority) if authority.exists() else given or True
        self._authorization = ""

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        """One request; raises UserError where the registry refuses or cannot be reached."""
        host = _HUB_HOST if self.host == DOCKER_HUB else self.host
        path = f"{self.path}/{url}" if self.path else url
        url = url if "://" in url else f"https://{host}/v2/{path}"
        try:
            answer = self._send(method, url, **options)
            if answer.status_code == 401:
                self._authorize(answer.headers.get("WWW-Authenticate", ""))
                answer = self._send(method, url, **options)
        except requests.RequestException as error:
            raise UserError(f"the registry {self.host} cannot be reached: {error}") from None
        if answer.status_code in (401, 403):
            raise RefusedError(
                f"{self.host} refuses your login to {self.path} ({answer.status_code}): copying "
                f"takes the right to pull from the one and to push to the other; docker login "
                f"{self.host}"
            )
        return answer

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        headers = {**options.pop("headers", {})}
        if self._authorization:
            headers["Authorization"] = self._authorization
        body: Any = options.get("data")
        if hasattr(body, "seek"):
            # Sent before, and refused for want of a login.
            body.seek(0)
        return self._session.request(
            method, url, headers=headers, verify=self._verify, timeout=_TIMEOUT_SECONDS, **options
        )

    def _authorize(self, challenge: str) -> None:
        kind, _, rest = challenge.partition(" ")
        login = (self._login.username, self._login.password)
        if kind.lower() != "bearer":
            encoded = base64.b64encode(":".join(login).encode()).decode()
            self._authorization = f"Basic {encoded}"
            return
        parameters = dict(_PARAMETER.findall(rest))
        realm = parameters.pop("realm")
        if self.path:
            parameters["scope"] = f"repository:{self.path}:pull,push"
        answer = self._session.get(
            realm,
            params=parameters,
            auth=login if self._login.username else None,
            verify=self._verify,
            timeout=_TIMEOUT_SECONDS,
        )
        given: dict[str, Any] = answer.json() if answer.ok else {}
        self._authorization = f"Bearer {given.get('token') or given.get('access_token')}"


def is_refused(host: str, login: Login) -> bool:
    """Whether a registry says that it does not know a login.

    False where it cannot be reached from here: the daemon may know a way to it.
    """
    try:
        Repository(host, login).ask("GET", "")
    except RefusedError:
        return True
    except UserError:
        return False
    return False


def resolve(source: Repository, tag: str, platform: str) -> str:
    """The digest of the image that a tag names now, of one platform where it is for several.

    Raises UserError where there is none.
    """
    answer = source.ask("GET", f"manifests/{tag}", headers={"Accept": ",".join(_MANIFESTS)})
    if answer.status_code != 200:
        raise UserError(f"{source.host}/{source.path} has no {tag} ({answer.status_code})")
    manifest = cast("dict[str, Any]", answer.json())
    if "manifests" not in manifest:
        return _sha256(answer.content)
    system, _, architecture = platform.partition("/")
    for each in manifest["manifests"]:
        given = each.get("platform", {})
        if (given.get("os"), given.get("architecture")) == (system, architecture):
            return str(each["digest"])
    raise UserError(f"{source.host}/{source.path}:{tag} is not for {platform}")


def copy(source: Repository, digest: str, target: Repository) -> None:
    """Copy the image ``digest`` with all that it refers to; what is there is left alone.

    Raises UserError where the source has none, a part is broken, or the target takes it not.
    """
    answer = source.ask("GET", f"manifests/{digest}", headers={"Accept": ",".join(_MANIFESTS)})
    if answer.status_code != 200:
        raise UserError(f"{source.host}/{source.path} has no {digest} ({answer.status_code})")
    content = answer.content
    if _sha256(content) != digest:
        raise UserError(f"{source.host} gives another image than {digest}")
    manifest = cast("dict[str, Any]", json.loads(content))
    for child in manifest.get("manifests", ()):
        copy(source, str(child["digest"]), target)
    for blob in _blobs(manifest):
        _copy_blob(source, blob, target)
    kind = answer.headers["Content-Type"]
    # Registries may clear away what has no tag.
    tag = digest.partition(":")[2][:16]
    put = target.ask("PUT", f"manifests/{tag}", data=content, headers={"Content-Type": kind})
    if put.status_code != 201:
        raise UserError(f"{target.host} does not take the image ({put.status_code}): {put.text}")


def _blobs(manifest: dict[str, Any]) -> Iterator[str]:
    parts = [*manifest.get("layers", ()), *([manifest["config"]] if "config" in manifest else [])]
    yield from dict.fromkeys(str(part["digest"]) for part in parts)


def _copy_blob(source: Repository, digest: str, target: Repository) -> None:
    if target.ask("HEAD", f"blobs/{digest}").status_code == 200:
        return
    with tempfile.TemporaryFile() as file:
        found = hashlib.sha256()
        with source.ask("GET", f"blobs/{digest}", stream=True) as answer:
            if answer.status_code != 200:
                raise UserError(f"{source.host} does not give {digest} ({answer.status_code})")
            for chunk in answer.iter_content(_CHUNK):
                found.update(chunk)
                file.write(chunk)
        if f"sha256:{found.hexdigest()}" != digest:
            raise UserError(f"{source.host} gives other bytes than {digest}")
        began = target.ask("POST", "blobs/uploads/")
        if began.status_code != 202:
            raise UserError(f"{target.host} takes no upload ({began.status_code}): {began.text}")
        to = urljoin(began.url, began.headers["Location"])
        put = target.ask(
            "PUT",
            f"{to}{'&' if '?' in to else '?'}digest={digest}",
            data=file,
            headers={"Content-Type": "application/octet-stream"},
        )
        if put.status_code != 201:
            raise UserError(f"{target.host} does not take {digest} ({put.status_code}): {put.text}")


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
