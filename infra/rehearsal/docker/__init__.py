"""The Docker provider on the real daemon."""
