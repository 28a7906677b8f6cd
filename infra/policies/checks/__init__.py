"""What the rules check of each cloud's resources: rule -> type -> check."""
