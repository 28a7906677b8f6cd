"""`compute: vm`: an instance that systemd makes a tracking server, as infra/plan/machine.py says.

Its identity is that of the instance itself, and what it is to be stands in its metadata: another
image or key changes it in place, and so does a newer Trackstack: what an instance was begun with
changes in none that is there (the provider makes another), so that its description has the agent.
https://docs.oracle.com/iaas/Content/Compute/home.htm
"""

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_oci import core

from infra.clouds.oci.observability import COLLECTOR
from infra.clouds.oci.server.parts import Parts
from infra.clouds.oci.vault import Vault
from infra.clouds.shared.described import described
from infra.place import systemd_texts
from infra.plan import machine

SYSTEM, RELEASE = "Canonical Ubuntu", "24.04"
DISK_GIB = 50


def make_instance(parts: Parts, vault: Vault) -> core.Instance:
    """The instance, in the private subnet."""
    plan, scope, networks = parts.plan, parts.scope, parts.networks
    return core.Instance(
        "server",
        display_name=plan.names.base,
        availability_domain=scope.availability_domain,
        shape=plan.compute_shape,
        shape_config=core.InstanceShapeConfigArgs(ocpus=plan.ocpus, memory_in_gbs=plan.memory),
        source_details=core.InstanceSourceDetailsArgs(
            source_type="image",
            source_id=newest_image(parts),
            boot_volume_size_in_gbs=str(DISK_GIB),
        ),
        create_vnic_details=core.InstanceCreateVnicDetailsArgs(
            subnet_id=networks.compute,
            nsg_ids=[networks.proxy_rules, networks.server_rules],
            assign_public_ip="false",
        ),
        metadata=metadata(parts, vault, agent="oci"),
        instance_options=core.InstanceInstanceOptionsArgs(
            # Without it, any request that reaches the metadata gets a key of the instance.
            are_legacy_imds_endpoints_disabled=True
        ),
        availability_config=core.InstanceAvailabilityConfigArgs(recovery_action="RESTORE_INSTANCE"),
        agent_config={"plugins_configs": [{"name": COLLECTOR, "desired_state": "ENABLED"}]},
        is_pv_encryption_in_transit_enabled=True,
        **scope.inside,
        opts=ResourceOptions.merge(
            scope.after(*parts.ready),
            # A machine that is there keeps its disk, and is kept up to date from within.
            ResourceOptions(ignore_changes=["sourceDetails.sourceId", "metadata.user_data"]),
        ),
    )


def newest_image(parts: Parts) -> Output[str]:
    """The newest of the system's images for the shape."""
    found = core.get_images_output(
        compartment_id=parts.plan.settings.compartment_id,
        operating_system=SYSTEM,
        operating_system_version=RELEASE,
        shape=parts.plan.compute_shape,
        sort_by="TIMECREATED",
        sort_order="DESC",
        opts=parts.scope.invoke,
    )
    return found.images.apply(lambda images: images[0].id)


def metadata(parts: Parts, vault: Vault, agent: str = "") -> dict[str, pulumi.Input[str]]:
    """What makes an instance a tracking server; ``agent`` as of infra.plan.machine.Machine."""
    key = parts.plan.settings.ssh_public_key
    return {
        "trackstack": _description(parts, vault, agent),
        "user_data": machine.user_data(systemd_texts(), "oci", trusted=parts.plan.image.trusted),
        **({"ssh_authorized_keys": key} if key else {}),
    }


def _description(parts: Parts, vault: Vault, agent: str) -> Output[str]:
    plan, files = parts.plan, parts.identity.secrets.files
    kept = {
        name: vault.keep(f"secret-{name.replace('_', '-')}", name.replace("_", "-"), files[name])
        for name in sorted(plan.workloads.secret_files & files.keys())
    }
    # With its version, so that another secret is another description.
    addresses = {
        name: Output.concat(secret.id, "?versionNumber=", secret.current_version_number.apply(str))
        for name, secret in kept.items()
    }
    return described(
        parts.images.runtime,
        plan.workloads.all,
        parts.environment,
        addresses,
        agent,
        plan.image.trusted,
    )


def matching_rule(instance: core.Instance) -> pulumi.Input[str]:
    """Of a dynamic group that holds just this instance."""
    return Output.concat("instance.id = '", instance.id, "'")
