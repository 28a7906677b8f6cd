"""What of artifact stores a request, or a job of MLflow's, may have opened: what the stack knows.

A row may be older than the check of what comes in, or an administrator's. Whoever reads it would
have the server open any bucket that its identity may.
"""

from typing import Any, cast

from runtime.access.rules.locations import UNOPENED, Allowed
from runtime.artifacts.location import printable
from runtime.artifacts.tree import opens

_CLASS, _METHOD, _MARK = "ArtifactRepositoryRegistry", "get_artifact_repository", "_trackstack"


def install(allowed: Allowed) -> None:
    """Have MLflow open in this process what is ``allowed`` alone.

    It has one registry, which makes each repository however MLflow came to its URI, and refuses
    before that. The stack's own trees, such as that of its backups, are no request's. Raises
    LookupError where MLflow is another.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
    from mlflow.store.artifact import artifact_repository_registry as registry

    made_by = cast(Any, getattr(registry, _CLASS, None))
    method = getattr(made_by, _METHOD, None)
    if method is None:
        raise LookupError(f"{registry.__name__} has no {_CLASS}.{_METHOD}")
    own = getattr(method, _MARK, method)

    def get_artifact_repository(self: Any, artifact_uri: str, *args: Any, **named: Any) -> Any:
        if not opens() and not allowed.may_open(artifact_uri):
            raise MlflowException(f"{printable(artifact_uri)} {UNOPENED}", PERMISSION_DENIED)
        return own(self, artifact_uri, *args, **named)

    setattr(get_artifact_repository, _MARK, own)
    setattr(made_by, _METHOD, get_artifact_repository)
