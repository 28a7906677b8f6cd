"""``deploy`` picks the cloud of the plan."""

import importlib

import pulumi

from infra.errors import StackError
from infra.inputs import Secrets
from infra.outputs import Deployment
from infra.plan import Plan


def deploy(plan: Plan, secrets: Secrets) -> Deployment:
    """Register the plan's resources; only the one cloud's SDK is imported.

    Raises StackError where that SDK is not installed.
    """
    try:
        cloud = importlib.import_module(f"infra.clouds.{plan.package}.deploy")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("pulumi_"):
            raise
        raise StackError(
            f"{error.name} is not installed, which this stack needs; "
            f"`make setup STACK={pulumi.get_stack()}` installs it"
        ) from None
    deployment: Deployment = cloud.deploy(plan, secrets)
    return deployment
