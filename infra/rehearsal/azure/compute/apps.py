"""Container Apps: apps with revisions behind a TLS reverse proxy."""

import hashlib
import ipaddress
import json

from infra.rehearsal.azure.compute.app_environments import OfEnvironment
from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.resource import refusal
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.provider.values import Props, child, items
from infra.rehearsal.system import daemon
from infra.rehearsal.system.waiting import wait_for

_READY_SECONDS = 240
# As whom the ingress sees a call from its own environment.
# https://github.com/microsoft/azure-container-apps/issues/1416
_JOB = "100.100.0.52"


class ContainerApp(OfEnvironment):
    token = "azure-native:app:ContainerApp"
    kind = "Microsoft.App/containerApps"
    name_input = "containerAppName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        scale = child(child(inputs, "template"), "scale")
        if scale and not 0 <= int(scale["minReplicas"]) <= int(scale["maxReplicas"]) <= 1000:
            raise refusal("ContainerAppInvalidScale", "minReplicas is more than maxReplicas.")

    def compute(self, id: str, inputs: Props) -> Props:
        environment = self.store.get(inputs.get("environmentId") or "")
        domain = environment.props["defaultDomain"] if environment else ""
        configuration = child(inputs, "configuration")
        fqdn = f"{inputs['containerAppName']}.{domain}"
        ingress = {**child(configuration, "ingress"), "fqdn": fqdn}
        revision = hashlib.sha256(json.dumps(child(inputs, "template")).encode()).hexdigest()[:7]
        name = f"{inputs['containerAppName']}--{revision}"
        return {
            **super().compute(id, inputs),
            "configuration": {**configuration, "ingress": ingress},
            "latestRevisionName": name,
            "latestRevisionFqdn": fqdn,
        }

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        if self.emulator:
            self._reveal(self.emulator, inputs, props)
        return id, props

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        props = super().update(id, inputs, known)
        if self.emulator:
            self._reveal(self.emulator, inputs, props)
            if known["latestRevisionName"] != props["latestRevisionName"]:
                self._end(self.emulator, known)
        return props

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            self._end(self.emulator, known)
            self.emulator.host.remove(f"{known['containerAppName']}-ingress")

    @staticmethod
    def replicas(props: Props) -> list[str]:
        """What the containers of its revision are called on the host."""
        count = int(child(child(props, "template"), "scale").get("minReplicas") or 1)
        return [f"{props['latestRevisionName']}-{number}" for number in range(count)]

    def _end(self, emulator: Emulator, known: Props) -> None:
        names = self.replicas(known)
        emulator.host.stop(*names)
        emulator.host.remove(*names)

    def _reveal(self, emulator: Emulator, inputs: Props, props: Props) -> None:
        """Start the revision, and shift the traffic to it once all its replicas are ready."""
        host = emulator.host
        ingress = child(child(props, "configuration"), "ingress")
        for name in self.replicas(props):
            if host.inspect(name) is None:
                self.run(emulator, name, inputs)
        port = int(ingress["targetPort"])
        addresses = [f"{host.address(name)}:{port}" for name in self.replicas(props)]
        for address in addresses:
            ready = f"http://{address}{_readiness(props)}"
            wait_for(lambda url=ready: _is_ready(url), f"a replica of {address}", _READY_SECONDS)
        inside = lets_in(props, _JOB)
        _ingress(emulator, props["containerAppName"], ingress["fqdn"], addresses, inside)


def _refusing(emulator: Emulator) -> str:
    """Containers are refused; this machine, through which callers from outside come, is not."""
    return (
        f"@inside not remote_ip {emulator.host.gateway}\n"
        'respond @inside "RBAC: access denied" 403\n'
    )


def lets_in(app: Props, caller: str) -> bool:
    """Whether an app's ingress answers to an address."""
    ingress = child(child(app, "configuration"), "ingress")
    rules = items(ingress, "ipSecurityRestrictions")
    allowed = [ipaddress.ip_network(r["ipAddressRange"]) for r in rules if r["action"] == "Allow"]
    return not allowed or any(ipaddress.ip_address(caller) in network for network in allowed)


def _readiness(props: Props) -> str:
    """The path of the probe that says whether a replica takes traffic."""
    [container] = items(child(props, "template"), "containers")
    probes = {probe["type"]: probe for probe in items(container, "probes")}
    return str(child(probes["Readiness"], "httpGet")["path"])


def _is_ready(url: str) -> bool:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - always http
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _ingress(
    emulator: Emulator, app: str, hostname: str, upstreams: list[str], inside: bool
) -> None:
    """The platform's reverse proxy: its own certificate, the replicas in turn, and whoever comes by
    plain HTTP is sent to TLS. It lets in calls from outside as the cloud's names do, and those from
    ``inside`` where that is said.

    https://learn.microsoft.com/azure/container-apps/ingress-overview
    """
    host, name = emulator.host, f"{app}-ingress"
    folder = host.folder / name
    config = (
        "{\nauto_https off\nskip_install_trust\n}\n"
        f"https://{hostname} {{\ntls /proxy/tls.pem /proxy/tls.key\n"
        f"{'' if inside else _refusing(emulator)}"
        f"reverse_proxy {' '.join(upstreams)} {{\nlb_try_duration 5s\n}}\n}}\n"
        f"http://{hostname} {{\nredir https://{hostname}{{uri}} 301\n}}\n"
    )
    if host.inspect(name):
        host.files(name, {"Caddyfile": config.encode()})
        reload = ["caddy", "reload", "--adapter", "caddyfile", "--config", "/proxy/Caddyfile"]
        code, said = host.execute(name, reload)
        if code:
            raise RehearsalError(f"the ingress of {app} cannot be reloaded: {said.strip()}")
        return
    chain, key = host.authority.issue(hostname)
    files = {"tls.pem": chain, "tls.key": key, "Caddyfile": config.encode()}
    folder = host.files(name, files)
    run = ["caddy", "run", "--adapter", "caddyfile", "--config", "/proxy/Caddyfile"]
    image = daemon.built_image("proxy")
    host.run(name, image, run, aliases=[hostname], mounts={"/proxy": folder})
