"""What runs containers and instances on OCI."""
