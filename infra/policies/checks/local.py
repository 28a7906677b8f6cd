"""Processes on this machine are no resources of a cloud: the rules check none of theirs."""

from infra.policies.reading import Check

CHECKS: dict[str, dict[str, Check]] = {}
