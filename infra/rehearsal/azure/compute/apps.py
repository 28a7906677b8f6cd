"""Container Apps: environments, apps behind a TLS reverse proxy, and jobs by cron."""

import hashlib
import ipaddress
import json
import re
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from croniter import croniter

from infra.rehearsal.azure.compute.containers import pull
from infra.rehearsal.azure.data.storage import Secret
from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.identity import UserAssignedIdentity
from infra.rehearsal.azure.network import Subnet
from infra.rehearsal.azure.observability import Workspace, shared_key
from infra.rehearsal.azure.resource import AzureResource, place, refusal
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.host.host import Limits
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.values import Props, child, items
from infra.rehearsal.system import daemon
from infra.rehearsal.system.waiting import wait_for

_DELEGATED = "Microsoft.App/environments"
_READY_SECONDS = 240
_PORT = 443


class ManagedEnvironment(AzureResource):
    token = "azure-native:app:ManagedEnvironment"
    kind = "Microsoft.App/managedEnvironments"
    name_input = "environmentName"

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        return super().replace_paths() | {"vnetConfiguration", "zoneRedundant"}

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        subnet = child(inputs, "vnetConfiguration").get("infrastructureSubnetId")
        if subnet:
            props = self.referred(inputs, subnet, Subnet)
            delegated = [entry.get("serviceName") for entry in items(props, "delegations")]
            if _DELEGATED not in delegated:
                message = f"The subnet must be delegated to {_DELEGATED}."
                raise refusal("ManagedEnvironmentSubnetDelegationError", message)
            if ipaddress.ip_network(props["addressPrefix"]).prefixlen > 27:
                message = "The subnet must have a size of at least /27."
                raise refusal("ManagedEnvironmentInvalidNetworkConfiguration", message)
        elif inputs.get("zoneRedundant"):
            message = "Zone redundancy needs a virtual network."
            raise refusal("ZoneRedundancyNotSupported", message)
        logs = child(child(inputs, "appLogsConfiguration"), "logAnalyticsConfiguration")
        found = self.store.find(Workspace.token, customerId=logs.get("customerId"))
        if logs and (not found or shared_key(found[0].id) != logs.get("sharedKey")):
            message = "The Log Analytics customer id or shared key is not valid."
            raise refusal("InvalidLogAnalyticsConfiguration", message)

    def compute(self, id: str, inputs: Props) -> Props:
        letters = hashlib.sha256(id.encode()).hexdigest()[:8]
        domain = f"rehearsed-{letters}.{place(inputs['location'])}.azurecontainerapps.io"
        return {**super().compute(id, inputs), "defaultDomain": domain, "staticIp": "20.1.2.3"}


class _OfEnvironment(AzureResource):
    """What apps and jobs share."""

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        environment = inputs.get("environmentId") or inputs.get("managedEnvironmentId")
        self.referred(inputs, environment, ManagedEnvironment)
        name = inputs[self.name_input]
        wrong = (
            f"Invalid name '{name}': lower-case letters, digits and single hyphens, at most 32"
            " characters, a letter first."
        )
        named = "[a-z](-?[a-z0-9])*"
        checks.named(name, named, 2, 32, refusal("ContainerAppInvalidName", wrong))
        for identity in _identities(inputs):
            self.referred({**inputs, "location": ""}, identity, UserAssignedIdentity)
        for problem in (*_sizes(inputs), *_references(inputs)):
            raise problem
        for secret in items(child(inputs, "configuration"), "secrets"):
            _ = self.value_of(secret, inputs)

    def value_of(self, secret: Props, inputs: Props) -> str:
        """A secret's value, read from the vault by the identity that it names."""
        url = secret.get("keyVaultUrl")
        if not url:
            return str(secret.get("value"))
        found = [
            record
            for record in self.store.find(Secret.token)
            if str(url).startswith(child(record.props, "properties")["secretUri"])
        ]
        identity = str(secret.get("identity"))
        emulator = self.emulator
        principal = emulator.entra.principal_of(identity) if emulator else ""
        role = "Key Vault Secrets User"
        refused = emulator and not (
            found and emulator.entra.may(principal or "", role, found[0].id)
        )
        if not found or refused or identity not in _identities(inputs):
            message = (
                f"Unable to get value using Managed identity {identity} for secret"
                f" {secret['name']}: Forbidden"
            )
            raise refusal("ContainerAppSecretKeyVaultUrlInvalid", message)
        return str(child(found[0].props, "properties")["value"])

    def run(self, emulator: Emulator, name: str, inputs: Props, restart: str = "always") -> None:
        """Start one replica's container."""
        entry = items(child(inputs, "template"), "containers")[0]
        registries = items(child(inputs, "configuration"), "registries")
        server = entry["image"].split("/")[0]
        for registry in registries:
            if registry["server"] == server:
                pull(self.store, emulator, entry["image"], registry["identity"], name)
        resources = child(entry, "resources")
        given = {v["name"]: str(v.get("value") or "") for v in items(entry, "env")}
        emulator.host.run(
            name,
            entry["image"],
            cast("list[str]", entry.get("args") or []),
            restart=restart,
            entrypoint=cast("list[str] | None", entry.get("command")),
            environment={**given, **emulator.entra.environment(self.identify(inputs))},
            mounts=self._mounts(emulator, name, entry, inputs),
            limits=Limits(resources["cpu"], float(str(resources["memory"]).removesuffix("Gi"))),
        )

    def _mounts(
        self, emulator: Emulator, name: str, entry: Props, inputs: Props
    ) -> dict[str, Path]:
        secrets = {s["name"]: s for s in items(child(inputs, "configuration"), "secrets")}
        volumes = {v["name"]: v for v in items(child(inputs, "template"), "volumes")}
        mounts: dict[str, Path] = {}
        for mount in items(entry, "volumeMounts"):
            volume = volumes[mount["volumeName"]]
            contents = {
                item["path"]: self.value_of(secrets[item["secretRef"]], inputs).encode()
                for item in items(volume, "secrets")
            }
            folder = emulator.host.files(f"{name}/{volume['name']}", contents)
            if volume["storageType"] == "EmptyDir":
                folder.chmod(0o777)
            mounts[mount["mountPath"]] = folder
        return mounts


class ContainerApp(_OfEnvironment):
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

    def _replicas(self, props: Props) -> list[str]:
        count = int(child(child(props, "template"), "scale").get("minReplicas") or 1)
        return [f"{props['latestRevisionName']}-{number}" for number in range(count)]

    def _end(self, emulator: Emulator, known: Props) -> None:
        names = self._replicas(known)
        emulator.host.stop(*names)
        emulator.host.remove(*names)

    def _reveal(self, emulator: Emulator, inputs: Props, props: Props) -> None:
        """Start the revision, and let the traffic to it once all its replicas are ready."""
        host = emulator.host
        ingress = child(child(props, "configuration"), "ingress")
        for name in self._replicas(props):
            if host.inspect(name) is None:
                self.run(emulator, name, inputs)
        port = int(ingress["targetPort"])
        addresses = [f"{host.address(name)}:{port}" for name in self._replicas(props)]
        for address in addresses:
            ready = f"http://{address}{_readiness(props)}"
            wait_for(lambda url=ready: _is_ready(url), f"a replica of {address}", _READY_SECONDS)
        _ingress(emulator, props["containerAppName"], ingress["fqdn"], addresses)


class Job(_OfEnvironment):
    """Runs by cron while the cloud is served."""

    token = "azure-native:app:Job"
    kind = "Microsoft.App/jobs"
    name_input = "jobName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        trigger = child(child(inputs, "configuration"), "scheduleTriggerConfig")
        if trigger and not croniter.is_valid(str(trigger.get("cronExpression"))):
            message = f"The cron expression '{trigger.get('cronExpression')}' is not valid."
            raise refusal("JobInvalidCronExpression", message)

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)

    def create(self, inputs: Props) -> tuple[str, Props]:
        made = super().create(inputs)
        if self.emulator:
            self._schedule(self.emulator, made[0], inputs)
        return made

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        self._unschedule(id)
        props = super().update(id, inputs, known)
        if self.emulator:
            self._schedule(self.emulator, id, inputs)
        return props

    def delete(self, id: str, known: Props) -> None:
        self._unschedule(id)
        if self.emulator:
            self.emulator.host.remove(known["jobName"])

    def _schedule(self, emulator: Emulator, id: str, inputs: Props) -> None:
        stopped = threading.Event()
        emulator.jobs[id.lower()] = stopped
        args = (emulator, inputs, stopped)
        threading.Thread(target=self._follow, args=args, daemon=True).start()

    def _unschedule(self, id: str) -> None:
        if self.emulator and (stopped := self.emulator.jobs.pop(id.lower(), None)):
            stopped.set()

    def _follow(self, emulator: Emulator, inputs: Props, stopped: threading.Event) -> None:
        cron = child(child(inputs, "configuration"), "scheduleTriggerConfig")["cronExpression"]
        while True:
            now = datetime.now(timezone.utc)
            due = croniter(cron, now).get_next(datetime)
            if stopped.wait((due - now).total_seconds()):
                return
            name = inputs["jobName"]
            self.run(emulator, name, inputs, restart="no")
            code = emulator.host.wait(name)
            emulator.executions.append((name, code))


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


def _ingress(emulator: Emulator, app: str, hostname: str, upstreams: list[str]) -> None:
    """The platform's reverse proxy: its own certificate, the replicas in turn."""
    host, name = emulator.host, f"{app}-ingress"
    folder = host.folder / name
    config = (
        "{\nauto_https off\nskip_install_trust\n}\n"
        f"https://{hostname} {{\ntls /proxy/tls.pem /proxy/tls.key\n"
        f"reverse_proxy {' '.join(upstreams)} {{\nlb_try_duration 5s\n}}\n}}\n"
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


def _identities(inputs: Props) -> list[str]:
    return list(cast("Any", child(inputs, "identity").get("userAssignedIdentities")) or [])


def _sizes(inputs: Props) -> Iterator[Exception]:
    for entry in items(child(inputs, "template"), "containers"):
        resources = child(entry, "resources")
        cpus, memory = float(resources.get("cpu") or 0), str(resources.get("memory") or "")
        if not re.fullmatch(r"\d+(\.\d+)?Gi", memory) or float(memory[:-2]) != 2 * cpus or cpus > 4:
            yield refusal(
                "ContainerAppInvalidResourceTotal",
                f"The total requested CPU and memory resources ({cpus:g} and {memory}) must be one"
                " of: 0.25 and 0.5Gi, 0.5 and 1Gi, ... 4 and 8Gi.",
            )


def _references(inputs: Props) -> Iterator[Exception]:
    secrets = [s["name"] for s in items(child(inputs, "configuration"), "secrets")]
    for name in secrets:
        if not re.fullmatch("[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name):
            yield refusal("ContainerAppInvalidSecretName", f"Invalid secret name '{name}'.")
    volumes = {v["name"]: v for v in items(child(inputs, "template"), "volumes")}
    for volume in volumes.values():
        for item in items(volume, "secrets"):
            if item["secretRef"] not in secrets:
                message = f"The secret '{item['secretRef']}' of a volume is not defined."
                yield refusal("ContainerAppSecretRefNotFound", message)
    for entry in items(child(inputs, "template"), "containers"):
        for mount in items(entry, "volumeMounts"):
            if mount["volumeName"] not in volumes:
                message = f"The volume '{mount['volumeName']}' is not defined."
                yield refusal("ContainerAppVolumeNotFound", message)
