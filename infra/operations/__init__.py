"""What people and pipelines do with a stack, each by a `make` target of the same name."""
