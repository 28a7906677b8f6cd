"""The server below a path of its host (MLFLOW_STATIC_PREFIX): the one place that knows it.

MLflow's own prefix reaches most of its routes, but not those that stream artifacts (mlflow 3.17.2,
fastapi_app.create_fastapi_app). So the prefix is taken off before anything looks at a request: the
access check and MLflow see paths as at the root, and a request for any other path reaches neither.
"""

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.responses import answer, answer_error
from runtime.errors import UserError
from runtime.settings import RuntimeSettings


class BelowPath:
    """ASGI middleware: serves ``app`` below ``prefix`` (``/team/mlflow``), and nothing elsewhere.

    The prefix alone is redirected to the web page, whose links are relative to its folder. Other
    spellings of the prefix, such as with ``%``, are other paths.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif found := self._below(scope):
            await self._app(found, receive, send)
        elif scope["type"] == "websocket":
            # Before it is accepted, a close is answered as HTTP 403.
            await send({"type": "websocket.close", "code": 1008})
        elif scope["method"] in ("GET", "HEAD") and _raw_path(scope) == self._prefix.encode():
            query: bytes = scope.get("query_string", b"")
            target = f"{self._prefix}/".encode() + (b"?" + query if query else b"")
            await answer(send, 307, [(b"location", target)], b"")
        else:
            message = f"nothing is here: the server is below {self._prefix}/"
            # As MLflow says it, so that its client shows the message.
            await answer_error(send, 404, "ENDPOINT_NOT_FOUND", message)

    def _below(self, scope: Scope) -> Scope | None:
        """The request as it would be at the root; None where it is not below the prefix."""
        path, raw = str(scope["path"]), _raw_path(scope)
        start = f"{self._prefix}/"
        if not (path.startswith(start) and raw.startswith(start.encode())):
            return None
        cut = len(self._prefix)
        return {
            **scope,
            "path": path[cut:],
            "raw_path": raw[cut:],
            # For Starlette's Request.base_url alone, which MLflow's assistant calls the server by.
            # `root_path` would have the routers take it off once more where a path begins with it.
            "app_root_path": self._prefix,
        }


def _raw_path(scope: Scope) -> bytes:
    return scope.get("raw_path") or str(scope["path"]).encode()


def check_public_url(settings: RuntimeSettings) -> None:
    """Raise UserError where the address that users are given is not below the prefix."""
    public = urlsplit(settings.public_url)
    if settings.path_prefix and public.path.rstrip("/") != settings.path_prefix:
        right = f"{public.scheme}://{public.netloc}{settings.path_prefix}"
        raise UserError(
            f"TRACKSTACK_PUBLIC_URL={settings.public_url} lacks the path of MLFLOW_STATIC_PREFIX: "
            f"set it to {right}",
            2,
        )
