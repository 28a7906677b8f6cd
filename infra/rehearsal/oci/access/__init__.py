"""Who calls OCI and what policies allow: signatures, principals, IAM."""
