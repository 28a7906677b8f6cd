"""Networks and volumes."""

from typing import Any, cast

import docker.types

from infra.rehearsal.docker.client import DaemonResource, found, pairs, refusals
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.values import Props, items

# Before the provider looks whether a network is there, or is gone.
_DELAY_SECONDS = 2


class Network(DaemonResource):
    token = "docker:index/network:Network"
    name_input = "name"
    autoname_separator = "-"

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        return cls.input_names()

    def create(self, inputs: Props) -> tuple[str, Props]:
        types = cast("Any", docker.types)
        pools = [
            types.IPAMPool(
                subnet=pool.get("subnet"),
                iprange=pool.get("ipRange"),
                gateway=pool.get("gateway"),
                aux_addresses=pool.get("auxAddress"),
            )
            for pool in items(inputs, "ipamConfigs")
        ]
        self.cloud.pause(_DELAY_SECONDS)
        with refusals():
            # The daemon would make a second network of the same name.
            if self.daemon.networks(names=[f"^{inputs['name']}$"]):
                raise CloudError("Docker", f"network with name {inputs['name']} already exists")
            id = self.daemon.create_network(
                inputs["name"],
                driver=inputs.get("driver") or "bridge",
                options=inputs.get("options"),
                ipam=types.IPAMConfig(
                    driver=inputs.get("ipamDriver", "default"), pool_configs=pools
                )
                if pools
                else None,
                internal=inputs.get("internal", False),
                attachable=inputs.get("attachable"),
                enable_ipv6=inputs.get("ipv6", False),
                labels=pairs(items(inputs, "labels")),
            )["Id"]
            return id, self.read(id, inputs) or {}

    def read(self, id: str, known: Props) -> Props | None:
        with refusals():
            network = found(self.daemon.inspect_network, id)
        if network is None:
            return None
        live = {"name": network["Name"], "driver": network["Driver"], "scope": network["Scope"]}
        return {**known, **live, "internal": network["Internal"]}

    def delete(self, id: str, known: Props) -> None:
        self.cloud.pause(_DELAY_SECONDS)
        with refusals():
            if found(self.daemon.inspect_network, id):
                self.daemon.remove_network(id)


class Volume(DaemonResource):
    token = "docker:index/volume:Volume"
    name_input = "name"
    autoname_separator = "-"

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        return cls.input_names()

    def create(self, inputs: Props) -> tuple[str, Props]:
        with refusals():
            self.daemon.create_volume(
                inputs["name"],
                driver=inputs.get("driver"),
                driver_opts=inputs.get("driverOpts"),
                labels=pairs(items(inputs, "labels")),
            )
        return inputs["name"], self.read(inputs["name"], inputs) or {}

    def read(self, id: str, known: Props) -> Props | None:
        with refusals():
            volume = found(self.daemon.inspect_volume, id)
        if volume is None:
            return None
        live = {"name": volume["Name"], "driver": volume["Driver"]}
        return {**known, **live, "mountpoint": volume["Mountpoint"]}

    def delete(self, id: str, known: Props) -> None:
        with refusals():
            if found(self.daemon.inspect_volume, id):
                self.daemon.remove_volume(id)
