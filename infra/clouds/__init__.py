"""One folder a cloud, the same file names in each; ``deploy`` picks the one of the plan."""

import importlib

from infra.outputs import Deployment
from infra.plan import LocalPlan, Plan
from infra.settings import Secrets

_CLOUDS = {LocalPlan: "local"}


def deploy(plan: Plan, secrets: Secrets) -> Deployment:
    """Register the plan's resources; only the one cloud's SDK is imported."""
    cloud = importlib.import_module(f"infra.clouds.{_CLOUDS[type(plan)]}")
    deployment: Deployment = cloud.deploy(plan, secrets)
    return deployment
