"""Processes on this machine."""

# What holds data -> the names of those that hold none.
DATA: dict[str, str | None] = {"pulumi-python:dynamic/trackstack:LocalDataDirectory": None}
