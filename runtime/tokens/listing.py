"""How a token is told: by the API and by `trackstack token list`, in the same words."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from runtime.tokens.own import shown_label
from runtime.tokens.store import Token, utc_now
from runtime.tokens.uses import Use

# In so many days somebody can give clients another token; one's own ends anew after each sign-in.
_SOON, _SOON_OWN = timedelta(days=7), timedelta(days=1)


def ending(tokens: Iterable[Mapping[str, Any]], now: datetime) -> list[Mapping[str, Any]]:
    """Those of `told` that are valid and end soon, the first one first; ``now`` is aware. Pure."""
    by_end = [
        (datetime.fromisoformat(token["expires"].replace("Z", "+00:00")), token)
        for token in tokens
        if token["valid"] and token["expires"]
    ]
    soon = [
        (end, token)
        for end, token in by_end
        if end - now < (_SOON_OWN if token["owner"] else _SOON)
    ]
    return [token for _, token in sorted(soon, key=lambda found: found[0])]


def told(
    tokens: Iterable[Token], uses: Mapping[str, Use], makers: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The tokens with their last uses, and the shared ones with their ``makers``, fit for JSON;
    never a value. Times are UTC, ISO 8601.
    """
    return [
        _told(token, uses.get(token.use_key), None if token.owner else makers.get(token.name))
        for token in tokens
    ]


def _told(token: Token, use: Use | None, made_by: str | None) -> dict[str, Any]:
    return {
        "id": token.id or None,
        "name": shown_label(token),
        "owner": token.owner.name if token.owner else None,
        "made_by": token.owner.name if token.owner else made_by,
        "role": token.role.name.lower(),
        "created": time(token.created),
        "expires": time(token.expires),
        "valid": token.is_valid(utc_now()),
        "disabled": token.is_disabled,
        "used": time(use.when) if use else None,
        "used_from": use.address if use else None,
    }


def time(when: datetime | None) -> str | None:
    """To the second, in UTC."""
    return f"{when.isoformat(timespec='seconds')}Z" if when else None
