"""`tls: acme`: the reverse proxy obtains its certificate from a real ACME authority, Pebble."""

import json
import socket
import ssl
from collections.abc import Generator
from pathlib import Path

import pytest

from infra.plan.proxy import reverse_proxy
from infra.rehearsal.host.host import Host
from infra.rehearsal.system import daemon
from infra.rehearsal.system.waiting import wait_for
from infra.settings import LocalContainer, parse
from tests.go import build_go
from tests.infra.clouds.hosted import hosted

pytestmark = pytest.mark.slow

_NAME = "mlflow.example.test"
_MODULE = Path(__file__).parents[2] / "tools" / "pebble"
_PEBBLE = {
    "listenAddress": "0.0.0.0:14000",
    "managementListenAddress": "0.0.0.0:15000",
    "certificate": "/pebble/tls.pem",
    "privateKey": "/pebble/tls.key",
    "httpPort": 80,
    "tlsPort": 443,
}


@pytest.fixture
def host() -> Generator[Host]:
    with hosted("acme") as made:
        yield made


def _start_authority(host: Host) -> None:
    chain, key = host.authority.issue("pebble")
    config = json.dumps({"pebble": _PEBBLE}).encode()
    files = {"tls.pem": chain, "tls.key": key, "config.json": config}
    folder = host.files("pebble", files)
    build_go(_MODULE, "github.com/letsencrypt/pebble/v2/cmd/pebble", folder / "pebble")
    host.run(
        "pebble",
        daemon.built_image("proxy"),
        ["-config", "/pebble/config.json"],
        aliases=["pebble"],
        environment={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        mounts={"/pebble": folder},
        entrypoint=["/pebble/pebble"],
    )


def _start_proxy(host: Host) -> None:
    settings = parse(
        {
            "cloud": "local",
            "compute": "container",
            "hostname": _NAME,
            "tls": "acme",
            "acmeEmail": "ops@example.test",
            "acmeDirectory": "https://pebble:14000/dir",
        }
    )
    assert isinstance(settings, LocalContainer)
    proxy = reverse_proxy(settings, (_NAME,), upstream="127.0.0.1:5000")
    # Pebble's own address has a certificate of the rehearsal's authority.
    trusted = {"SSL_CERT_FILE": "/trusted/ca.pem"}
    ca = host.files("trusted", {"ca.pem": host.authority.certificate.encode()})
    host.run(
        "front",
        daemon.built_image("proxy"),
        proxy.command,
        aliases=[_NAME],
        environment={**proxy.environment, **trusted},
        mounts={"/trusted": ca},
    )


def _issuer(address: str) -> str:
    """Who issued the certificate that is served under the name; empty while there is none."""
    from cryptography import x509

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address, 443), 5) as plain,
            context.wrap_socket(plain, server_hostname=_NAME) as secure,
        ):
            shown = secure.getpeercert(binary_form=True)
    except OSError:
        return ""
    certificate = x509.load_der_x509_certificate(shown or b"")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [_NAME]
    return certificate.issuer.rfc4514_string()


def test_the_proxy_obtains_a_certificate_for_its_name(host: Host) -> None:
    _start_authority(host)
    _start_proxy(host)
    address = host.address("front") or ""
    wait_for(lambda: "Pebble Intermediate" in _issuer(address), "the certificate", 120)
