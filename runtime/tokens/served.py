"""Tokens by request to the server: for whom the store is not at hand, such as with a cloud's."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from runtime.client.server import TOKENS
from runtime.errors import UserError
from runtime.probe import request, token_of
from runtime.settings import RuntimeSettings, variable

PEOPLE = "/trackstack/api/people"


def is_store_at_hand(settings: RuntimeSettings) -> bool:
    """Whether commands open the backend store here; else they ask the server at the tracking URI.

    A laptop has the address and a token in its environment, and nothing of the store.
    """
    named = settings.given_backend_store_uri or settings.db_secret_ocid
    is_given = bool(named) or "data_dir" in settings.model_fields_set
    return is_given or not settings.given_tracking_uri


class ServedTokens:
    """The shared tokens, and everybody's own, of the server at the tracking URI.

    Each method raises UserError with the server's words where it refuses.
    """

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings

    def add(self, name: str, role: str, expires: str | None) -> str:
        wanted = {"name": name, "role": role, "expires": expires, "shared": True}
        return str(self._ask("POST", TOKENS, wanted)["token"])

    def list(self) -> list[dict[str, Any]]:
        return cast("list[dict[str, Any]]", self._ask("GET", f"{TOKENS}?all=true")["tokens"])

    def revoke(self, name: str) -> None:
        self._ask("DELETE", f"{TOKENS}?shared={_quoted(name)}")

    def revoke_own(self, token_id: str) -> None:
        self._ask("DELETE", f"{TOKENS}?id={_quoted(token_id)}")

    def rotate(self, name: str) -> str:
        answer = self._ask("PATCH", f"{TOKENS}?shared={_quoted(name)}", {"action": "rotate"})
        return str(answer["token"])

    def enable(self, name: str) -> None:
        self._ask("PATCH", f"{TOKENS}?shared={_quoted(name)}", {"action": "enable"})

    def people(self) -> Sequence[Mapping[str, Any]]:
        return cast("list[dict[str, Any]]", self._ask("GET", PEOPLE)["people"])

    def remove(self, name: str) -> None:
        self._ask("DELETE", f"{PEOPLE}?name={_quoted(name)}")

    def let_in(self, name: str) -> None:
        self._ask("POST", f"{PEOPLE}?name={_quoted(name)}")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        settings = self._settings
        token = token_of(settings)
        if not token:
            raise UserError(f"set {variable('tracking_token')} to an admin's token", 2)
        content = json.dumps(body).encode() if body is not None else None
        status, answer = request(settings, method, path, token, content)
        if status == 0:
            raise UserError(f"{settings.tracking_uri} does not answer: {answer.decode()}", 75)
        try:
            said: dict[str, Any] = json.loads(answer)
        except ValueError:
            said = {}
        if status >= 400:
            reason = said.get("message") or answer.decode(errors="replace")[:200]
            raise UserError(f"{settings.tracking_uri}: {reason} ({status})", 2)
        return said


def _quoted(text: str) -> str:
    return quote(text, safe="")
