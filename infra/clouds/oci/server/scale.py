"""`compute: scale`: a pool of instances, each a tracking server as infra/plan/machine.py says.

An instance configuration cannot be changed, so that another image or key makes another pool beside
the one that serves; users are led to it once all of its instances are healthy, and then the old
one goes. Instances begin with the image of the system that was the newest when the stack was made,
and keep themselves up to date.
https://docs.oracle.com/iaas/Content/Compute/Tasks/creatinginstancepool.htm
"""

from pulumi import Output, ResourceOptions
from pulumi_oci import autoscaling, core

from infra.clouds.oci.observability import COLLECTOR
from infra.clouds.oci.server.parts import Parts
from infra.clouds.oci.server.vm import DISK_GIB, metadata, newest_image
from infra.clouds.oci.vault import Vault
from infra.clouds.shared.home import Noted
from infra.plan.oci import OciPlan
from infra.plan.proxy import PORT

_BUSY_PERCENT, _IDLE_PERCENT = 70, 20
_COOL_DOWN_SECONDS = 300


def make_pool(
    parts: Parts,
    vault: Vault,
    balancer: Output[str],
    backend_set: Output[str],
) -> Output[str]:
    """The pool behind a load balancer; returns its OCID."""
    plan, scope = parts.plan, parts.scope
    settings = plan.settings
    scales = settings.max_replicas > settings.min_replicas
    pool = core.InstancePool(
        "server",
        display_name=plan.names.base,
        instance_configuration_id=_configuration(parts, vault).id,
        placement_configurations=scope.availability_domains.apply(
            lambda names: [
                core.InstancePoolPlacementConfigurationArgs(
                    availability_domain=name, primary_subnet_id=parts.networks.compute
                )
                for name in names
            ]
        ),
        size=settings.min_replicas,
        load_balancers=[
            core.InstancePoolLoadBalancerArgs(
                load_balancer_id=balancer,
                backend_set_name=backend_set,
                port=PORT,
                vnic_selection="PrimaryVnic",
            )
        ],
        compartment_id=scope.compartment,
        # What one replica is of, which the pool itself does not say.
        freeform_tags={
            **scope.tags,
            "ocpus": f"{plan.ocpus:g}",
            "memory": f"{settings.memory:g}",
        },
        opts=ResourceOptions.merge(
            scope.opts,
            ResourceOptions(
                # In place, the instances that are there would stay what they are.
                replace_on_changes=["instanceConfigurationId"],
                ignore_changes=["size"] if scales else None,
            ),
        ),
    )
    if scales:
        _autoscaling(parts, pool)
    return pool.id


def _configuration(parts: Parts, vault: Vault) -> core.InstanceConfiguration:
    plan, scope, networks = parts.plan, parts.scope, parts.networks
    # OCI would choose by the system alone, and its images fit only some shapes. Noted, because the
    # next one would make another pool, though nobody asked for it.
    image = Noted("system-image", newest_image(parts), scope.here()).value
    return core.InstanceConfiguration(
        "configuration",
        display_name=plan.names.base,
        instance_details={
            "instance_type": "compute",
            "launch_details": {
                "compartment_id": scope.compartment,
                "display_name": plan.names.base,
                "freeform_tags": dict(scope.tags),
                "shape": plan.compute_shape,
                "shape_config": {"ocpus": plan.ocpus, "memory_in_gbs": plan.memory},
                "source_details": {
                    "source_type": "image",
                    "boot_volume_size_in_gbs": str(DISK_GIB),
                    "image_id": image,
                },
                "create_vnic_details": {
                    "nsg_ids": [networks.proxy_rules, networks.server_rules],
                    "assign_public_ip": False,
                },
                "metadata": metadata(parts, vault),
                # Without it, any request that reaches the metadata gets a key of the instance.
                "instance_options": {"are_legacy_imds_endpoints_disabled": True},
                "availability_config": {"recovery_action": "RESTORE_INSTANCE"},
                "agent_config": {
                    "plugins_configs": [{"name": COLLECTOR, "desired_state": "ENABLED"}]
                },
                "is_pv_encryption_in_transit_enabled": True,
            },
        },
        **scope.inside,
        opts=scope.after(*parts.ready),
    )


def _autoscaling(parts: Parts, pool: core.InstancePool) -> None:
    """One more instance while they are busy, one less while they idle."""
    settings = parts.plan.settings
    autoscaling.AutoScalingConfiguration(
        "autoscaling",
        display_name=parts.plan.names.base,
        is_enabled=True,
        cool_down_in_seconds=_COOL_DOWN_SECONDS,
        auto_scaling_resources={"id": pool.id, "type": "instancePool"},
        policies=[
            {
                "display_name": "by-cpu",
                "policy_type": "threshold",
                "capacity": {
                    "initial": settings.min_replicas,
                    "min": settings.min_replicas,
                    "max": settings.max_replicas,
                },
                "rules": [
                    _rule("busy", 1, "GT", _BUSY_PERCENT),
                    _rule("idle", -1, "LT", _IDLE_PERCENT),
                ],
            }
        ],
        **parts.scope.inside,
        # The provider replaces it for other numbers, and a pool has one at most.
        opts=ResourceOptions.merge(parts.scope.opts, ResourceOptions(delete_before_replace=True)),
    )


def _rule(
    name: str, step: int, operator: str, percent: int
) -> autoscaling.AutoScalingConfigurationPolicyRuleArgsDict:
    return {
        "display_name": name,
        "action": {"type": "CHANGE_COUNT_BY", "value": step},
        "metric": {
            "metric_type": "CPU_UTILIZATION",
            "threshold": {"operator": operator, "value": percent},
        },
    }


def matching_rule(plan: OciPlan) -> str:
    """Of a dynamic group that holds the instances of the stack's compartment.

    A pool's come and go. A tag that is for the stack alone would be narrower, but OCI takes hours
    to delete one, and `destroy` with it; so the compartment is to be the stack's own.
    """
    return f"instance.compartment.id = '{plan.settings.compartment_id}'"
