"""The entrance, the outermost layer: what is open to everybody, and what goes on to the checks."""

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime import health
from runtime.access.exchange import KEY, Exchange


class Entrance:
    """Lets the exact liveness route pass to ``mlflow``, and everything else to ``app`` alone."""

    def __init__(self, app: ASGIApp, mlflow: ASGIApp) -> None:
        self._app, self._mlflow = app, mlflow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._mlflow(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            raise ValueError(f"{kind!r} is neither HTTP nor a websocket")
        # The checks decide by the whole path, so that nothing may be routed by a part of it.
        scope = {**scope, "root_path": ""}
        if kind == "http" and self._is_liveness(scope):
            await self._mlflow(scope, receive, send)
        else:
            scope[KEY] = Exchange.of(scope)
            await self._app(scope, receive, send)

    def _is_liveness(self, scope: Scope) -> bool:
        # The raw path: none of its other spellings is open.
        raw = scope.get("raw_path") or scope["path"].encode()
        return raw == health.PATH.encode() and scope["method"] in ("GET", "HEAD")
