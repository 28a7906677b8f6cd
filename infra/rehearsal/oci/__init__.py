"""A rehearsal of OCI as pulumi_oci reaches it."""
