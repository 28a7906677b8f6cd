"""A rehearsal of OCI as pulumi_oci reaches it."""

from pathlib import Path

from tests.clouds.framework.resource import Cloud
from tests.clouds.oci.identity import Compartment, DynamicGroup, Policy
from tests.clouds.oci.network import NetworkSecurityGroup, Subnet, Vcn
from tests.clouds.oci.storage import Bucket, Key, Secret, Vault


def cloud(state_dir: Path, *, is_real: bool = False) -> Cloud:
    types = [Bucket, Compartment, DynamicGroup, Key, NetworkSecurityGroup, Policy, Secret]
    types += [Subnet, Vault, Vcn]
    return Cloud("oci", types, state_dir)
