"""Containers on this machine."""

# What holds data -> the names of those that hold none: secrets, and the certificates that the
# proxy was issued, are made again.
DATA = {"docker:index/volume:Volume": r".*-secrets|front-data"}
