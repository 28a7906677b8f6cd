"""`compute: vm`: a virtual machine that systemd makes a tracking server (infra/plan/machine.py).

It acts as the stack's managed identity, and what it is to be stands in its user data: another image
or key changes it in place. https://learn.microsoft.com/azure/virtual-machines/user-data
"""

from pulumi import Output, ResourceOptions
from pulumi_azure_native import compute, network

from infra.clouds.azure.identity import Vault
from infra.clouds.azure.network import Network
from infra.clouds.azure.observability import collect_journal
from infra.clouds.azure.parts import Parts
from infra.clouds.shared.described import described
from infra.place import systemd_texts
from infra.plan import machine

_USER = "trackstack-admin"
_DISK_GIB = 64
_IMAGE = compute.ImageReferenceArgs(
    publisher="Canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
)


def make_machine(parts: Parts, vault: Vault, networks: Network) -> Output[str]:
    """The machine; returns its address in the network."""
    plan, scope, identity = parts.plan, parts.scope, parts.identity
    interface = _interface(parts, networks)
    made = compute.VirtualMachine(
        "server",
        vm_name=plan.names.base,
        identity=compute.VirtualMachineIdentityArgs(
            type=compute.ResourceIdentityType.USER_ASSIGNED,
            user_assigned_identities=[identity.user.id],
        ),
        hardware_profile=compute.HardwareProfileArgs(vm_size=plan.settings.vm_size),
        os_profile=_system(parts),
        storage_profile=compute.StorageProfileArgs(
            image_reference=_IMAGE,
            os_disk=compute.OSDiskArgs(
                create_option="FromImage",
                delete_option="Delete",
                disk_size_gb=_DISK_GIB,
                managed_disk=compute.ManagedDiskParametersArgs(storage_account_type="Premium_LRS"),
            ),
        ),
        network_profile=compute.NetworkProfileArgs(
            network_interfaces=[compute.NetworkInterfaceReferenceArgs(id=interface.id)]
        ),
        security_profile=compute.SecurityProfileArgs(
            security_type="TrustedLaunch",
            uefi_settings=compute.UefiSettingsArgs(secure_boot_enabled=True, v_tpm_enabled=True),
        ),
        user_data=described(
            parts.images.runtime,
            plan.workloads.all,
            parts.environment,
            vault.versions,
            Output.concat("azure ", identity.user.client_id),
            plan.image.trusted,
        ),
        **scope.inside,
        opts=ResourceOptions.merge(
            parts.when_ready(
                replace_for=["osProfile.linuxConfiguration"], after=vault.ready, asks_again=True
            ),
            # What a machine was begun with, nobody changes: its agent brings it up to date.
            ResourceOptions(ignore_changes=["osProfile.customData"]),
        ),
    )
    collect_journal(plan, scope, parts.logs, made, identity.user.id)
    return interface.ip_configurations.apply(
        lambda found: (found[0].private_ip_address or "") if found else ""
    )


def _system(parts: Parts) -> compute.OSProfileArgs:
    plan = parts.plan
    key = compute.SshPublicKeyArgs(
        path=f"/home/{_USER}/.ssh/authorized_keys", key_data=plan.settings.ssh_public_key
    )
    return compute.OSProfileArgs(
        computer_name=plan.names.base,
        admin_username=_USER,
        custom_data=parts.identity.user.client_id.apply(
            lambda client: machine.user_data(systemd_texts(), "azure", client, plan.image.trusted)
        ),
        linux_configuration=compute.LinuxConfigurationArgs(
            disable_password_authentication=True,
            ssh=compute.SshConfigurationArgs(public_keys=[key]),
        ),
    )


def _interface(parts: Parts, networks: Network) -> network.NetworkInterface:
    plan, scope = parts.plan, parts.scope
    address = None
    if not plan.settings.private:
        made = network.PublicIPAddress(
            "address",
            public_ip_address_name=f"{plan.names.base}-address",
            sku=network.PublicIPAddressSkuArgs(name="Standard"),
            public_ip_allocation_method="Static",
            dns_settings=network.PublicIPAddressDnsSettingsArgs(
                domain_name_label=plan.names.dns_label
            ),
            **scope.inside,
            opts=scope.opts,
        )
        address = network.PublicIPAddressArgs(id=made.id)
    return network.NetworkInterface(
        "interface",
        network_interface_name=f"{plan.names.base}-interface",
        ip_configurations=[
            network.NetworkInterfaceIPConfigurationArgs(
                name="server",
                subnet=network.SubnetArgs(id=networks.compute),
                private_ip_allocation_method="Dynamic",
                public_ip_address=address,
            )
        ],
        **scope.inside,
        opts=scope.opts,
    )
