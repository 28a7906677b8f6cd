"""Pools of instances behind load balancers."""

from infra.rehearsal.oci import network
from infra.rehearsal.oci.balancer import Backend, BackendSet, NetworkLoadBalancer
from infra.rehearsal.oci.compute import instances
from infra.rehearsal.oci.compute.instances import Instance
from infra.rehearsal.oci.ids import DOMAINS, ocid
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider.store import Record
from infra.rehearsal.provider.values import Props, child, items


class InstanceConfiguration(OciResource):
    token = "oci:Core/instanceConfiguration:InstanceConfiguration"
    kind = "instanceconfiguration"
    service = "Compute Management"
    is_single = True

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        launch = launch_details(inputs)
        instances.verify_size(self, launch)
        instances.verify_metadata(self, launch)
        for group in child(launch, "createVnicDetails").get("nsgIds") or ():
            self.referred(group, network.NetworkSecurityGroup)
        source = child(launch, "sourceDetails")
        wanted = child(source, "instanceSourceImageFilterDetails")
        system = (wanted.get("operatingSystem"), wanted.get("operatingSystemVersion"))
        image = source.get("imageId")
        if image and image not in instances.images(launch["shape"]):
            wrong = f"Shape {launch['shape']} is not valid for image {image}."
            raise self.refusal("InvalidParameter", wrong)
        if not image and system not in instances.SYSTEMS:
            raise self.refusal("InvalidParameter", f"No image of {' '.join(map(str, system))}.")


class InstancePool(OciResource):
    token = "oci:Core/instancePool:InstancePool"
    kind = "instancepool"
    endpoint = "iaas"
    service = "Compute Management"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        self.referred(inputs["instanceConfigurationId"], InstanceConfiguration)
        for place in items(inputs, "placementConfigurations"):
            self.referred(place["primarySubnetId"], network.Subnet)
            if place["availabilityDomain"] not in DOMAINS:
                wrong = f"Invalid availabilityDomain {place['availabilityDomain']}"
                raise self.refusal("InvalidParameter", wrong)
        for attached in items(inputs, "loadBalancers"):
            balancer, name = attached["loadBalancerId"], attached["backendSetName"]
            self.referred(balancer, NetworkLoadBalancer)
            if not self.store.find(BackendSet.token, networkLoadBalancerId=balancer, name=name):
                raise self.refusal("InvalidParameter", f"There is no backend set '{name}'.")

    def compute(self, id: str, inputs: Props) -> Props:
        return {**super().compute(id, inputs), "state": "RUNNING", "actualSize": inputs["size"]}

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        self.grow(id, inputs)
        return id, props

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        props = super().update(id, inputs, known)
        self.grow(id, inputs)
        for member in self._members(id)[int(inputs["size"]) :]:
            self._end(member)
        return props

    def delete(self, id: str, known: Props) -> None:
        for member in self._members(id):
            self._end(member)
        super().delete(id, known)

    def _members(self, id: str) -> list[Record]:
        return members(self.store.find(Instance.token), id)

    def grow(self, id: str, inputs: Props) -> None:
        """Start instances until the pool has its size."""
        configuration = self.referred(inputs["instanceConfigurationId"], InstanceConfiguration)
        places = items(inputs, "placementConfigurations")
        for number in range(len(self._members(id)), int(inputs["size"])):
            place, launch = places[number % len(places)], launch_details(configuration)
            member: Props = {
                **launch,
                "createVnicDetails": {
                    **child(launch, "createVnicDetails"),
                    "subnetId": place["primarySubnetId"],
                },
                "instancePoolId": id,
                "privateIp": f"10.80.0.{100 + number}",
            }
            instance = ocid("instance", f"{id}{number}")
            # It asks from its first boot on.
            self.store.put(instance, Instance.token, member)
            if self.emulator:
                member["privateIp"] = instances.start(self.emulator, instance, member)
                self.store.put(instance, Instance.token, member)
            for attached in items(inputs, "loadBalancers"):
                self._attach(attached, member["privateIp"])

    def _attach(self, attached: Props, address: str) -> None:
        name = f"{address}:{int(attached['port'])}"
        backend: Props = {
            "networkLoadBalancerId": attached["loadBalancerId"],
            "backendSetName": attached["backendSetName"],
            "ipAddress": address,
            "port": attached["port"],
            "name": name,
        }
        self.store.put(f"{attached['loadBalancerId']}/{name}", Backend.token, backend)

    def _end(self, member: Record) -> None:
        for backend in self.store.find(Backend.token, ipAddress=member.props["privateIp"]):
            self.store.delete(backend.id)
        if self.emulator:
            instances.end(self.emulator, member.id)
        self.store.delete(member.id)


class AutoScalingConfiguration(OciResource):
    token = "oci:Autoscaling/autoScalingConfiguration:AutoScalingConfiguration"
    kind = "autoscalingconfiguration"
    service = "Autoscaling"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        pool = child(inputs, "autoScalingResources")["id"]
        self.referred(pool, InstancePool)
        for other in self.store.find(self.token):
            if (
                other.id != self.call.id
                and child(other.props, "autoScalingResources")["id"] == pool
            ):
                message = "Each instance pool can have one autoscaling configuration."
                raise self.refusal("Conflict", message, 409)
        if int(inputs.get("coolDownInSeconds") or 300) < 300:
            raise self.refusal("InvalidParameter", "coolDownInSeconds is less than 300.")
        for policy in items(inputs, "policies"):
            capacity = child(policy, "capacity")
            least, first, most = (int(capacity[name]) for name in ("min", "initial", "max"))
            if not 1 <= least <= first <= most:
                raise self.refusal("InvalidParameter", "The capacity is not min, initial, max.")


def launch_details(configuration: Props) -> Props:
    return child(child(configuration, "instanceDetails"), "launchDetails")


def members(found: list[Record], pool: str) -> list[Record]:
    """The instances of a pool, the oldest first."""
    own = [record for record in found if record.props.get("instancePoolId") == pool]
    return sorted(own, key=lambda record: str(record.props["privateIp"]))
