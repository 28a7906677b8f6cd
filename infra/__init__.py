"""What exists: stack file -> settings -> plan -> one cloud's resources -> outputs."""
