"""What is stale on a server: an inventory, what it leaves open, and a decision.

The inventory comes from the backend store where this is beside it, and else from the tracking API.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Protocol

import click
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from runtime.database.clock import moment, now_of
from runtime.duration import NEVER
from runtime.retention import inventory as tracking
from runtime.retention import stale
from runtime.retention.entities import Inventory, Key, Question, Stale
from runtime.retention.inventory import Client
from runtime.retention.store import beside
from runtime.retention.store.rows import Store
from runtime.retention.usage import Api
from runtime.settings import RuntimeSettings


class Source(Protocol):
    """Where entities are read from."""

    def inventory(self) -> Inventory:
        """All live entities."""
        ...

    def around(self, entities: Sequence[Stale]) -> Inventory:
        """Read again what decides about these alone."""
        ...

    def used(self, inventory: Inventory, asked: Sequence[Question]) -> frozenset[Key]:
        """Which of those asked for are in use by what the inventory does not have."""
        ...


@dataclass(frozen=True)
class Found:
    """What is stale, and how many runs there are."""

    stale: tuple[Stale, ...]
    live_runs: int


def find_stale(source: Source, now: datetime, ttl_days: int | None) -> Found:
    """Everything that is older than its time to live and that nothing uses; nothing where None."""
    if ttl_days is None:
        return Found((), 0)
    inventory = source.inventory()
    return Found(_decide(source, inventory, now, ttl_days), len(inventory.runs))


def still_stale(
    source: Source, entities: Sequence[Stale], now: datetime, ttl_days: int
) -> list[Stale]:
    """Those of ``entities`` that are stale now, looked at again."""
    found = {each.id for each in _decide(source, source.around(entities), now, ttl_days)}
    return [entity for entity in entities if entity.id in found]


def _decide(
    source: Source, inventory: Inventory, now: datetime, ttl_days: int
) -> tuple[Stale, ...]:
    first = stale.decide(inventory, now, ttl_days)
    asked = stale.questions(inventory, first, now, ttl_days)
    if not asked:
        return first
    used = inventory.used | source.used(inventory, asked)
    return stale.decide(replace(inventory, used=used), now, ttl_days)


@dataclass(frozen=True)
class Server:
    """The server of the settings: its client, where entities are read, and its store if that is
    at hand, whether or not entities are read there. ``now`` is behind no clock of its.
    """

    client: Client
    source: Source
    store: Engine | None
    now: datetime


def reach(settings: RuntimeSettings) -> Server:
    """Connect to the server; raises UserError (exit code 75) where it lets nobody in."""
    client = tracking.connect(settings)
    try:
        store = beside.store_of(settings)
        if store is None:
            return Server(client, Api(client), None, datetime.now(timezone.utc))
        now = moment(now_of(store))
        same = beside.is_beside(settings, store)
    except SQLAlchemyError:
        # By hand, from a machine that cannot reach the database, the API is enough.
        return Server(client, Api(client), None, datetime.now(timezone.utc))
    return Server(client, Store(store) if same else Api(client), store, now)


def say_of_never(settings: RuntimeSettings) -> None:
    """Say on stderr that nothing can be stale, where the settings have it so."""
    if settings.entity_ttl_days is None:
        click.echo(f"nothing is stale: MLFLOW_TRACKING_ENTITY_TTL is {NEVER}", err=True)
