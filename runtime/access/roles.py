"""Which role a request needs. Pure.

Decided by method and path as the application will see them. What is not known is taken for a
write, so that a route which a newer MLflow adds is never readable-only by mistake.
"""

import re

from runtime.tokens import Role

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

# Routes that read, though their method is POST: MLflow sends long filters in the body.
_READING_POST = re.compile(
    r"/(ajax-)?api/[23]\.0/?mlflow/("
    r"(experiments|runs|logged-models|datasets|issues|traces)/search"
    r"|experiments/search-datasets"
    r"|registered-models/get-latest-versions"
    r"|traces/(batchGetInfos|calculate-filter-correlation|metrics)"
    r"|artifacts/presigned-download-url"
    r"|prompt-optimization/jobs/search"
    r")"
)
# Reads of these tell secrets' names or where events go; writes run code or send data out.
_ADMIN = re.compile(
    r"/(ajax-)?api/[23]\.0/mlflow/"
    r"(jobs|prompt-optimization/jobs|webhooks|workspaces|gateway/(?!endpoints/(get|list))"
    r"|assistant|scorers/online-config)(/|$)"
    r"|/trackstack/"
)
_REGISTRY_DELETE = re.compile(
    r"/(ajax-)?api/[23]\.0/mlflow/(registered-models|model-versions)/delete$"
)


def required_role(method: str, path: str, *, protect_registry: bool = False) -> Role:
    """The role for ``method`` on ``path`` (decoded, without the static prefix)."""
    path = re.sub(r"/{2,}", "/", path)
    if _ADMIN.match(path) and not (method in _SAFE and _is_status(path)):
        return Role.ADMIN
    if protect_registry and _REGISTRY_DELETE.match(path):
        return Role.ADMIN
    if method in _SAFE or (method == "POST" and _READING_POST.fullmatch(path)):
        return Role.READ
    return Role.WRITE


def _is_status(path: str) -> bool:
    """The web page asks for these on every visit; they hold no secret."""
    return path.endswith(("/mlflow/workspaces", "/mlflow/assistant/config"))
