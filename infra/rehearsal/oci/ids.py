"""Ids and regions that several modules of OCI's rehearsal share."""

import hashlib

REGION = "eu-frankfurt-1"
HOME, HOME_KEY = "us-ashburn-1", "IAD"
"""The tenancy's home region, which is not that of its stacks."""
DOMAINS = tuple(f"Uocm:{REGION.upper()}-AD-{number}" for number in (1, 2, 3))
NAMESPACE = "rehearsal"
"""Of Object Storage and the container registry."""


def ocid(kind: str, seed: str) -> str:
    """An OCID that is as unique as its seed; identity's have no region."""
    region = "" if kind in ("compartment", "dynamicgroup", "policy", "tenancy") else REGION
    digest = hashlib.sha256(seed.encode()).hexdigest()
    return f"ocid1.{kind}.oc1.{region}.{'a' * 8}{digest[:52]}"


TENANCY = ocid("tenancy", "rehearsal")
