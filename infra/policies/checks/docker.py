"""What the rules check of Docker's resources."""

from infra.policies.reading import Check, lines, variables

CHECKS: dict[str, dict[str, Check]] = {
    "no-secret-in-plain-text": {"docker:index/container:Container": variables(lines("envs"))},
}
