"""What holds data on OCI: buckets, vaults, databases."""
