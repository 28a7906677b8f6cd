"""Whether people still have the rights that their tokens have, asked of the issuer every hour.

Only of those who have tokens of their own, by the refresh token of their last sign-in. Who is
confirmed has signed in anew, as it were. Whom the issuer knows no more, or gives no role, has no
tokens and sessions any more. An issuer that does not answer changes nothing, so that tokens end so
many days after the last sign-in.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

import click
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.callers import Callers
from runtime.access.issuer.client import Issuer, Refreshed, RefusedError, UnansweredError
from runtime.access.issuer.rules import Rules
from runtime.sealed import sign_ins
from runtime.sealed.sign_ins import Claimed, RefreshTokens
from runtime.settings import RuntimeSettings
from runtime.tokens.store import utc_now

EVERY = timedelta(hours=1)
# Who is due is looked up so often: one of all workers and replicas asks for each.
_LOOK_EVERY_SECONDS = 60


class Renewal:
    """One worker's."""

    def __init__(
        self, settings: RuntimeSettings, callers: Callers, issuer: Issuer, rules: Rules
    ) -> None:
        self._settings, self._callers = settings, callers
        self._issuer, self._rules = issuer, rules

    async def look(self) -> None:
        """Ask for each person who is due; for the others later where the issuer does not answer."""
        for key in await asyncio.to_thread(self._due):
            claimed = await asyncio.to_thread(self._claim, key)
            if claimed and not await self._renew(claimed):
                return

    @property
    def _kept(self) -> RefreshTokens:
        return RefreshTokens(self._callers.engine, self._settings)

    def _due(self) -> list[str]:
        holders, now = self._callers.own.holders(), utc_now()
        self._kept.forget_unused(holders, now)
        return list(self._kept.due(holders, now, EVERY))

    def _claim(self, key: str) -> Claimed | None:
        return self._kept.claim(key, utc_now(), EVERY)

    async def _renew(self, claimed: Claimed) -> bool:
        """Whether the issuer answered."""
        given = claimed.signed_in
        try:
            found = await self._issuer.refresh(given.refresh_token, given.subject)
        except RefusedError:
            await asyncio.to_thread(self._end, claimed)
        except UnansweredError as error:
            click.echo(f"trackstack: the issuer does not say who has left: {error}", err=True)
            return False
        else:
            await asyncio.to_thread(self._go_on, claimed, found)
        return True

    def _go_on(self, claimed: Claimed, found: Refreshed) -> None:
        given = claimed.signed_in
        if not self._kept.replace(claimed, replace(given, refresh_token=found.refresh_token)):
            # They signed in, or were removed, meanwhile: that counts.
            return
        if found.claims:
            role = self._rules.role_of(found.claims)
            people = self._callers.own.people
            if not people.sign_in(given.name, role, given.issuer_s_own):
                sign_ins.forget(self._callers.engine, claimed.key)
                _say_ended(given.name)

    def _end(self, claimed: Claimed) -> None:
        given = claimed.signed_in
        if self._kept.drop(claimed):
            self._callers.own.people.sign_in(given.name, None, given.issuer_s_own)
            _say_ended(given.name)


def _say_ended(name: str) -> None:
    click.echo(
        f"trackstack: {name} has no right to enter any more by the issuer: tokens have ended",
        err=True,
    )


class Beside:
    """``app``, and beside it each worker's look at who is due, from its first request on."""

    def __init__(self, app: ASGIApp, renewal: Renewal) -> None:
        self._app, self._renewal = app, renewal
        self._looking: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await self._app(scope, receive, send)

    async def _look(self) -> None:
        while True:
            try:
                await self._renewal.look()
            except Exception as error:
                # Such as a database that is away: tried again.
                click.echo(
                    f"trackstack: who has left is not known: {type(error).__name__}", err=True
                )
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
