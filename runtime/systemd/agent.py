"""The agent of a virtual machine: brings it to the state that its metadata describes.

It runs on the distribution's Python, before there is a runtime image: the standard library and, on
OCI, the distribution's `cryptography`. Each time it reads the description of the machine that the
stack keeps in the instance's metadata; where that is another than was applied since the boot, it
pulls and unpacks the image and fetches the secrets, both as the machine's own identity, writes the
units and restarts those that changed. The server that runs serves on until the new one is there.

    {"image": "host/name@sha256:...", "secrets": {"tracking_token": "address in the vault"},
     "units": {"trackstack-server.service": "..."}, "enabled": ["trackstack-server.service"],
     "files": {"Caddyfile": "..."}}

A unit's text changes with all that it depends on, and so says by itself when to restart it. With
this file among "files", the agent brings itself up to date; "trusted" are certificates in PEM.
"""

import base64
import gzip
import hashlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from email.utils import formatdate
from pathlib import Path
from typing import Any

_METADATA = "http://169.254.169.254"
_TRIES, _PAUSE_SECONDS, _TIMEOUT_SECONDS = 6, 5, 60
_IMAGES = Path("/var/lib/trackstack/images")
_FILES = Path("/etc/trackstack")
_UNITS = Path("/etc/systemd/system")
# In memory: gone with the next boot, which so applies all again.
_STATE = Path("/run/trackstack")
_SECRETS, _APPLIED = _STATE / "secrets", _STATE / "applied"
_TRUSTED = Path("/usr/local/share/ca-certificates/trackstack.crt")


def ask(url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> bytes:
    """The answer's body. Asks again for a while: a new machine's rights take time to be known."""
    request = urllib.request.Request(url, data=body, headers=headers or {})  # noqa: S310
    # Metadata is never behind a proxy.
    proxies: dict[str, str] | None = {} if url.startswith(_METADATA) else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    for attempt in range(1, _TRIES + 1):
        try:
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                return answer.read()
        except (urllib.error.URLError, OSError) as error:
            if attempt == _TRIES:
                where = urllib.parse.urlsplit(url)._replace(query="").geturl()
                sys.exit(f"{where}: {error}")
            time.sleep(_PAUSE_SECONDS)
    raise AssertionError


class Azure:
    """A machine of Azure, by its managed identity.

    https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
    """

    def __init__(self, client: str) -> None:
        self._client = client

    def description(self) -> str:
        query = "api-version=2021-01-01&format=text"
        url = f"{_METADATA}/metadata/instance/compute/userData?{query}"
        return ask(url, {"Metadata": "true"}).decode()

    def login(self, host: str) -> tuple[str, str]:
        """User and password of a registry."""
        form = {
            "grant_type": "access_token",
            "service": host,
            "access_token": self._token("https://management.azure.com/"),
        }
        asked = urllib.parse.urlencode(form).encode()
        answer = json.loads(ask(f"https://{host}/oauth2/exchange", body=asked))
        return "00000000-0000-0000-0000-000000000000", answer["refresh_token"]

    def secret(self, address: str) -> str:
        token = self._token("https://vault.azure.net")
        asked = ask(f"{address}?api-version=7.4", {"Authorization": f"Bearer {token}"})
        return str(json.loads(asked)["value"])

    def _token(self, resource: str) -> str:
        query = {"api-version": "2018-02-01", "resource": resource, "client_id": self._client}
        url = f"{_METADATA}/metadata/identity/oauth2/token?{urllib.parse.urlencode(query)}"
        return str(json.loads(ask(url, {"Metadata": "true"}))["access_token"])


class Oci:
    """A machine of OCI, by its instance principal.

    https://docs.oracle.com/iaas/Content/Identity/Tasks/callingservicesfrominstances.htm
    """

    def __init__(self, _client: str) -> None:
        self._session: tuple[Any, str] | None = None

    def description(self) -> str:
        return self._known("instance/metadata/trackstack").decode()

    def login(self, host: str) -> tuple[str, str]:
        """User and password of a registry."""
        return "BEARER_TOKEN", self._get(f"https://{host}/20180419/docker/token")["token"]

    def secret(self, address: str) -> str:
        region, domain = self._place()
        host = f"secrets.vaults.{region}.oci.{domain}"
        bundle = self._get(f"https://{host}/20190301/secretbundles/{address}")
        return base64.b64decode(bundle["secretBundleContent"]["content"]).decode()

    def _known(self, path: str) -> bytes:
        return ask(f"{_METADATA}/opc/v2/{path}", {"Authorization": "Bearer Oracle"})

    def _place(self) -> tuple[str, str]:
        """Region, and domain of the realm: governments and sovereign clouds have their own."""
        known = json.loads(self._known("instance/regionInfo"))
        return known["regionIdentifier"], known["realmDomainComponent"]

    def _get(self, url: str) -> Any:
        if self._session is None:
            self._session = self._federate()
        key, key_id = self._session
        return json.loads(ask(url, signed(key, key_id, "get", url)))

    def _federate(self) -> tuple[Any, str]:
        """A key of this process and the id under which it signs, for the machine's certificate."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        certificate = x509.load_pem_x509_certificate(self._known("identity/cert.pem"))
        leaf = serialization.load_pem_private_key(self._known("identity/key.pem"), None)
        names = [str(attribute.value) for attribute in certificate.subject]
        kinds = ("opc-tenant:", "opc-identity:")
        tenancy = next(n.partition(":")[2] for n in names if n.startswith(kinds))
        der = certificate.public_bytes(serialization.Encoding.DER)
        # Names the certificate; nothing rests on it.
        digest = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
        fingerprint = ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))
        session = rsa.generate_private_key(65537, 2048)
        public = session.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        body = {
            "certificate": base64.b64encode(der).decode(),
            "publicKey": _bare(public),
            "intermediateCertificates": [_bare(self._known("identity/intermediate.pem"))],
        }
        region, domain = self._place()
        url = f"https://auth.{region}.{domain}/v1/x509"
        sent = json.dumps(body).encode()
        key_id = f"{tenancy}/fed-x509/{fingerprint}"
        answer = json.loads(ask(url, signed(leaf, key_id, "post", url, sent), sent))
        return session, f"ST${answer['token']}"


def _bare(pem: bytes) -> str:
    return "".join(line for line in pem.decode().splitlines() if "-----" not in line)


def signed(
    key: Any, key_id: str, method: str, url: str, body: bytes | None = None
) -> dict[str, str]:
    """The headers of a signed request.

    https://docs.oracle.com/iaas/Content/API/Concepts/signingrequests.htm
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    split = urllib.parse.urlsplit(url)
    target = split.path + (f"?{split.query}" if split.query else "")
    headers = {"date": formatdate(usegmt=True)}
    values = {"date": headers["date"], "(request-target)": f"{method} {target}"}
    if body is None:
        values["host"] = headers["host"] = split.netloc
    else:
        headers["content-length"] = str(len(body))
        headers["content-type"] = "application/json"
        headers["x-content-sha256"] = base64.b64encode(hashlib.sha256(body).digest()).decode()
        values |= headers
    text = "\n".join(f"{name}: {value}" for name, value in values.items())
    made = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    headers["authorization"] = (
        f'Signature version="1",keyId="{key_id}",algorithm="rsa-sha256",'
        f'headers="{" ".join(values)}",signature="{base64.b64encode(made).decode()}"'
    )
    return headers


_CLOUDS: dict[str, type[Azure] | type[Oci]] = {"azure": Azure, "oci": Oci}


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def unpack(cloud: Azure | Oci, image: str) -> None:
    """Have the image's files in _IMAGES, by its digest, and those of one other at most."""
    target = _IMAGES / image.rpartition(":")[2]
    if not target.is_dir():
        _IMAGES.mkdir(parents=True, exist_ok=True)
        half = _IMAGES / ".half"
        _run("rm", "-rf", half)
        with tempfile.TemporaryDirectory(dir=_IMAGES) as layout:
            _pull(cloud, image, layout)
            _run("umoci", "unpack", "--image", f"{layout}:it", half)
        _describe(half)
        half.rename(target)
    others = [found for found in _IMAGES.iterdir() if found != target]
    # What runs still uses the last one.
    for old in sorted(others, key=lambda found: found.stat().st_mtime)[:-1]:
        _run("rm", "-rf", old)


def _describe(bundle: Path) -> None:
    """Note the image's own environment for units, and let other users through."""
    process = json.loads((bundle / "config.json").read_text())["process"]
    (bundle / "environment").write_text("".join(f"{line}\n" for line in process["env"]))
    bundle.chmod(0o755)


def _pull(cloud: Azure | Oci, image: str, layout: str) -> None:
    host = image.split("/")[0]
    login = base64.b64encode(":".join(cloud.login(host)).encode()).decode()
    with tempfile.NamedTemporaryFile("w", dir=_STATE, suffix=".json") as file:
        json.dump({"auths": {host: {"auth": login}}}, file)
        file.flush()
        copy = ["skopeo", "copy", "--quiet", "--src-authfile", file.name]
        _run(*copy, f"docker://{image}", f"oci:{layout}:it")


def _write(path: Path, content: str, mode: int = 0o644) -> bool:
    """Write a file, at once or not at all; whether it is another than before."""
    if path.exists() and path.read_text() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    beside.touch(0o600)
    beside.chmod(mode)
    beside.write_text(content)
    beside.replace(path)
    return True


def apply(cloud: Azure | Oci, description: dict[str, Any]) -> set[str]:
    """Make the machine what the description says; the units that are others than before."""
    trusted = "".join(f"{each}\n" for each in description.get("trusted", ()))
    if (trusted or _TRUSTED.exists()) and _write(_TRUSTED, trusted):
        _run("update-ca-certificates")
    secrets = {name: cloud.secret(at) for name, at in description["secrets"].items()}
    unpack(cloud, description["image"])
    _SECRETS.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, secret in secrets.items():
        _write(_SECRETS / name, secret, 0o400)
    for name, content in description["files"].items():
        _write(_FILES / name, content)
    units = description["units"]
    for path in _UNITS.glob("trackstack-*"):
        if path.name not in units and not path.name.startswith("trackstack-agent."):
            _run("systemctl", "disable", "--now", path.name)
            path.unlink()
    changed = {name for name, text in units.items() if _write(_UNITS / name, text)}
    _run("systemctl", "daemon-reload")
    _run("systemctl", "enable", "--quiet", *description["enabled"])
    return changed


def main() -> None:
    """`agent.py CLOUD [CLIENT_ID]`: apply what the metadata says, unless it was applied."""
    cloud = _CLOUDS[sys.argv[1]]("".join(sys.argv[2:]))
    text = cloud.description()
    # By another agent, all is applied anew.
    digest = hashlib.sha256(text.encode() + Path(__file__).read_bytes()).hexdigest()
    _STATE.mkdir(mode=0o755, exist_ok=True)
    before = _APPLIED.read_text() if _APPLIED.exists() else ""
    if before == digest:
        return
    # Until all is done, the next run begins anew.
    _APPLIED.unlink(missing_ok=True)
    description = json.loads(gzip.decompress(base64.b64decode(text)))
    changed = apply(cloud, description)
    restarted = [name for name in description["enabled"] if not before or name in changed]
    if restarted:
        # They start after this one, which so must not wait for them.
        _run("systemctl", "--no-block", "restart", *restarted)
    _APPLIED.write_text(digest)


if __name__ == "__main__":
    main()
