"""Places of artifacts: only an administrator may choose any."""

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.exchange import exchange_of
from runtime.access.responses import answer_error
from runtime.access.rules import bodies, locations
from runtime.tokens.store import Role


class Creation:
    """Refuses experiments, versions and traces whose artifacts would lie where not ``allowed``."""

    def __init__(self, app: ASGIApp, allowed: locations.Allowed) -> None:
        self._app, self._allowed = app, allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if locations.is_own_folder(exchange.method, exchange.path):
            await answer_error(send, 403, "PERMISSION_DENIED", locations.OWN_FOLDER_REFUSAL)
            return
        says = locations.may_say(exchange.method, exchange.path)
        if says and exchange.known_caller().role < Role.ADMIN:
            body = await bodies.read(receive, locations.LARGEST_BODY)
            if body is None or not self._allowed.allows(exchange.path, body):
                await answer_error(send, 403, "PERMISSION_DENIED", locations.REFUSAL)
                return
            receive = bodies.again(body, receive)
        await self._app(scope, receive, send)
