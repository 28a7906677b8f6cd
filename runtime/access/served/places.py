"""What of artifact stores a request, or a job of MLflow's, may have opened: what the stack knows.

A row may be older than the check of what comes in, or an administrator's. Whoever reads it would
have the server open any bucket that its identity may.
"""

from typing import Any, cast

from runtime.access.rules.locations import UNOPENED, Allowed
from runtime.artifacts.location import printable
from runtime.artifacts.tree import opens

_POLICY, _MARK = "enforce_server_artifact_uri_host_policy", "_trackstack"


def install(allowed: Allowed) -> None:
    """Have MLflow open in this process what is ``allowed`` alone.

    It asks its own rule before each repository that it makes, however it came to the URI; ours is
    asked there, too. The stack's own trees, such as that of its backups, are no request's. Raises
    LookupError where MLflow is another.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
    from mlflow.store.artifact import artifact_repository_registry as registry

    module = cast(Any, registry)
    rule = getattr(module, _POLICY, None)
    if rule is None:
        raise LookupError(f"mlflow.store.artifact.artifact_repository_registry has no {_POLICY}")
    own = getattr(rule, _MARK, rule)

    def enforce(artifact_uri: str) -> None:
        own(artifact_uri)
        if not opens() and not allowed.may_open(artifact_uri):
            raise MlflowException(f"{printable(artifact_uri)} {UNOPENED}", PERMISSION_DENIED)

    setattr(enforce, _MARK, own)
    setattr(module, _POLICY, enforce)
