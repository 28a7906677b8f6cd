"""Shifts traffic to the new backends before the old ones are deleted."""

import time
from collections.abc import Callable
from typing import Any, cast

from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.shared.dynamic import DynamicProvider, Props
from runtime.errors import UserError
from runtime.oci import login as oci_login

_WAIT_SECONDS, _LOOK_AGAIN_SECONDS = 1800, 3
# For requests that an old instance is at.
_GRACE_SECONDS = 30
_HEALTHY = "OK"
_NOT_FOUND, _CONFLICT = 404, 409
# As long as the provider asks again for.
_BUSY_SECONDS = 120


class RolloutProvider(DynamicProvider):
    """Of Rollout."""

    place = "balancer"
    replaced_by = frozenset()

    def apply(self, props: Props) -> Props:
        try:
            _Backends(props).roll_out()
        except UserError as error:
            raise RuntimeError(f"{error}; see `oci setup config`") from None
        return {}

    def drifted(self, props: Props) -> bool:
        return False

    def remove(self, props: Props) -> None:
        return


class Rollout(Resource, module="trackstack", name="Rollout"):
    """Waits until a load balancer finds its new backends healthy, then takes all others out of
    their turn, with the caller's own login. What is replaced is deleted at the end of an update,
    and so after it. Inputs: OCIDs of ``compartment`` and ``balancer``, its ``backend_set``, and the
    name of one ``backend`` or the OCID of a ``pool`` of instances.
    """

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(RolloutProvider(), name, props, opts)


class _Backends:
    """Of one backend set."""

    def __init__(self, props: Props) -> None:
        self._props = props
        self._set = (props["balancer"], props["backend_set"])
        self._client = oci_login.client("network_load_balancer", "NetworkLoadBalancerClient")

    def roll_out(self) -> None:
        """Raises RuntimeError where the new ones are not healthy in half an hour."""
        new = self._wait_until_healthy()
        found = self._client.list_backends(*self._set).data.items
        others = [one.name for one in found if one.name not in new and not one.is_drain]
        for name in others:
            self._drain(name)
        if others:
            time.sleep(_GRACE_SECONDS)

    def _wait_until_healthy(self) -> set[str]:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            names, wanted = self._new()
            healthy = [name for name in names if self._is_healthy(name)]
            if len(healthy) >= wanted:
                return names
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"{len(healthy)} of {wanted} new servers are healthy after half an hour; what "
                    "served before still does. See their logs, and run `up` again"
                )
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _new(self) -> tuple[set[str], int]:
        """The names of the new backends as far as they are known, and how many there will be."""
        if "backend" in self._props:
            return {self._props["backend"]}, 1
        client = oci_login.client("core", "ComputeManagementClient")
        size = client.get_instance_pool(self._props["pool"]).data.size
        found = client.list_instance_pool_instances(self._props["compartment"], self._props["pool"])
        attached = (one.load_balancer_backends or () for one in found.data)
        return {backend.backend_name for those in attached for backend in those}, max(size, 1)

    def _is_healthy(self, name: str) -> bool:
        from oci.exceptions import ServiceError

        try:
            return self._client.get_backend_health(*self._set, name).data.status == _HEALTHY
        except ServiceError as error:
            # The pool tells of a backend before the load balancer knows it.
            if error.status != _NOT_FOUND:
                raise
            return False

    def _drain(self, name: str) -> None:
        from oci import network_load_balancer as nlb

        operations = cast(Any, nlb).NetworkLoadBalancerClientCompositeOperations(self._client)
        balancer, backend_set = self._set
        details = cast(Any, nlb).models.UpdateBackendDetails(is_drain=True)
        _unless_busy(
            lambda: operations.update_backend_and_wait_for_state(
                balancer, details, backend_set, name, wait_for_states=["SUCCEEDED"]
            )
        )


def _unless_busy(change: Callable[[], object]) -> None:
    """Make a change once the load balancer is not at another, such as a pool's own; it refuses
    then, and the SDK asks again for other reasons alone.
    """
    from oci.exceptions import ServiceError

    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            change()
            return
        except ServiceError as error:
            if error.status != _CONFLICT or time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_AGAIN_SECONDS)
