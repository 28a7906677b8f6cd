"""Container registries: a real one, behind a door that asks who pushes and who pulls."""

import base64
import shutil
from pathlib import Path

from tests import docker as parts
from tests.clouds.azure.resource import AzureResource, refusal
from tests.clouds.framework import checks
from tests.clouds.framework.values import Props, child
from tests.conftest import find_free_port, wait_for
from tests.packages import ensure_debian

_SKUS = ("Basic", "Standard", "Premium")
_TRUST = Path("/etc/docker/certs.d")


class Registry(AzureResource):
    token = "azure-native:containerregistry:Registry"
    kind = "Microsoft.ContainerRegistry/registries"
    name_input = "registryName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["registryName"]
        wrong = (
            f"Registry name {name} is not valid. Registry names may contain alpha numeric"
            " characters only and must be between 5 and 50 characters."
        )
        checks.named(name, "[a-zA-Z0-9]*", 5, 50, refusal("RegistryNameNotValid", wrong))
        for other in self.store.find(self.token, registryName=name):
            if other.id.lower() != self.identify(inputs).lower():
                taken = f"The registry DNS name {name.lower()}.azurecr.io is already in use."
                raise refusal("AlreadyInUse", taken, 409)
        sku = child(inputs, "sku").get("name")
        if sku not in _SKUS:
            raise refusal("InvalidSku", f"The SKU {sku} is not valid; use {', '.join(_SKUS)}.")
        if inputs.get("publicNetworkAccess") == "Disabled" and sku != "Premium":
            message = "Private endpoints and network rules need the SKU Premium."
            raise refusal("NetworkRuleNotSupported", message)

    def compute(self, id: str, inputs: Props) -> Props:
        server = f"{inputs['registryName'].lower()}.azurecr.io"
        if self.real:
            server = self._serve(id, inputs["registryName"].lower())
        return {**super().compute(id, inputs), "loginServer": server}

    def delete(self, id: str, known: Props) -> None:
        if self.real:
            self.real.ground.end(f"registry-{known['registryName'].lower()}")
            self.real.ground.forget_images(known["loginServer"])
            shutil.rmtree(_TRUST / known["loginServer"], ignore_errors=True)

    def _serve(self, id: str, name: str) -> str:
        """Caddy, which lets through to the registry whom the door lets in."""
        known = self.store.get(id)
        if known:
            return known.props["loginServer"]
        real, registry = self.real, parts.registry()
        assert real is not None
        host = registry.address.rpartition(":")[0]
        address = f"{host}:{find_free_port()}"
        chain, key = real.ground.authority.issue(host)
        folder = real.ground.files(f"registry-{name}", {"tls.pem": chain, "tls.key": key})
        login = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        door = real.ground.door.address
        config = folder / "Caddyfile"
        config.write_text(
            "{\nadmin off\nauto_https off\nskip_install_trust\n}\n"
            f"https://{address} {{\ntls {folder}/tls.pem {folder}/tls.key\n"
            f"handle /oauth2/exchange {{\nreverse_proxy {door}\n}}\n"
            f"handle {{\nforward_auth {door} {{\nuri /registry{id}\n}}\n"
            f"reverse_proxy https://{registry.address} {{\n"
            f'header_up Authorization "Basic {login}"\n'
            f"transport http {{\ntls_trusted_ca_certs {registry.ca_file}\n}}\n}}\n}}\n}}\n"
        )
        config.chmod(0o600)
        trusted = _TRUST / address
        trusted.mkdir(parents=True, exist_ok=True)
        (trusted / "ca.crt").write_text(real.ground.authority.certificate)
        caddy = ensure_debian("caddy", "caddy")
        run = [caddy, "run", "--adapter", "caddyfile", "--config", str(config)]
        process = real.ground.process(f"registry-{name}", run)
        wait_for(lambda: _answers(address), f"the registry at {address}", 30)
        assert process.poll() is None
        return address


def _answers(address: str) -> bool:
    import socket

    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), 1):
            return True
    except OSError:
        return False
