"""Who asks for something about tokens, and how: what they may have follows from both."""

from dataclasses import dataclass

from starlette.types import Scope

from runtime.access.credentials import Person, bearer_token
from runtime.access.exchange import exchange_of
from runtime.tokens.store import JOB_TOKEN, RUNNER_TOKEN, Owner, Role, Token


@dataclass(frozen=True)
class Asking:
    """A caller, and whether they are signed in at a browser or present a token."""

    caller: Token | Person
    is_signed_in: bool

    @classmethod
    def of(cls, scope: Scope) -> "Asking":
        """Of a request that authentication let through."""
        return cls(exchange_of(scope).known_caller(), bearer_token(scope["headers"]) is None)

    @property
    def owner(self) -> Owner:
        """Whose tokens are this caller's own."""
        caller = self.caller
        if isinstance(caller, Person):
            return Owner(caller.name, caller.role)
        if caller.owner:
            return Owner(caller.owner.name, caller.role, caller.owner.proof)
        return Owner(caller.name, caller.role, caller.proof)

    @property
    def is_admin(self) -> bool:
        """Whether everybody's tokens are theirs to see and to end."""
        return self.caller.role is Role.ADMIN

    @property
    def makes_own(self) -> bool:
        """Whether they may make tokens of their own.

        Not with a token alone: one that leaks would make others, which outlive it.
        """
        return self.is_signed_in and self._makes_any

    @property
    def makes_shared(self) -> bool:
        """Whether they may make shared tokens, and give one another value.

        Not with a token of one's own: it ends with its owner's rights, and what it made would not.
        """
        return self.is_admin and self._makes_any

    @property
    def _makes_any(self) -> bool:
        is_own = isinstance(self.caller, Token) and self.caller.owner is not None
        return not is_own and self.caller.name not in (JOB_TOKEN, RUNNER_TOKEN)
