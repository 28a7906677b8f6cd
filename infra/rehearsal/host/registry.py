"""A registry: Debian's, behind a reverse proxy that asks the endpoint who may push and pull."""

import base64
import shutil
import socket
from pathlib import Path

from infra.rehearsal.host.host import Host
from infra.rehearsal.system import daemon
from infra.rehearsal.system.packages import ensure_debian
from infra.rehearsal.system.ports import find_free_port

_TRUST = Path("/etc/docker/certs.d")


def new_address() -> str:
    """Host and port for a registry on this machine's loopback."""
    return f"{daemon.registry().address.rpartition(':')[0]}:{find_free_port()}"


def serve(host: Host, name: str, address: str, *, login: str, may: str) -> None:
    """Serve at ``address``; the endpoint's route ``login`` answers at its own path, and its route
    ``may`` whether each other request may pass.
    """
    registry = daemon.registry()
    chain, key = host.authority.issue(address.rpartition(":")[0])
    folder = host.files(name, {"tls.pem": chain, "tls.key": key})
    given = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    endpoint = host.endpoint.address
    config = folder / "Caddyfile"
    config.write_text(
        "{\nadmin off\nauto_https off\nskip_install_trust\n}\n"
        f"https://{address} {{\ntls {folder}/tls.pem {folder}/tls.key\n"
        f"handle {login} {{\nreverse_proxy {endpoint}\n}}\n"
        f"handle {{\nforward_auth {endpoint} {{\nuri {may}\n}}\n"
        f"reverse_proxy https://{registry.address} {{\n"
        f'header_up Authorization "Basic {given}"\n'
        f"transport http {{\ntls_trusted_ca_certs {registry.ca_file}\n}}\n}}\n}}\n}}\n"
    )
    config.chmod(0o600)
    trusted = _TRUST / address
    trusted.mkdir(parents=True, exist_ok=True)
    (trusted / "ca.crt").write_text(host.authority.certificate)
    caddy = ensure_debian("caddy", "caddy")
    run = [caddy, "run", "--adapter", "caddyfile", "--config", str(config)]
    host.process(name, run)
    host.wait_for_process(name, lambda: _answers(address))


def end(host: Host, name: str, address: str) -> None:
    """Stop it, and untag its images in the daemon."""
    host.end(name)
    daemon.forget_images(address)
    shutil.rmtree(_TRUST / address, ignore_errors=True)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), 1):
            return True
    except OSError:
        return False
