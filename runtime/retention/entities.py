"""What MLflow keeps, as prune and report see it. Pure data; times are ms since 1970, as in MLflow.

They stay whole numbers: clients choose them, also such as no calendar has.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

# MLflow's own, on a nested run: the id of the run that it belongs to.
PARENT_TAG = "mlflow.parentRunId"
KEEP_TAG = "trackstack.keep"
_NOT_KEPT = ("false", "0", "no", "off")
_DAY_MS = 24 * 60 * 60 * 1000


def is_kept(tags: Mapping[str, str]) -> bool:
    """Whether the keep tag is set; any value counts but a clear no."""
    return KEEP_TAG in tags and tags[KEEP_TAG].strip().lower() not in _NOT_KEPT


class Kind(Enum):
    """What prune deletes. The first two softly, the others for good: MLflow knows no other way."""

    RUN = "run"
    EXPERIMENT = "experiment"
    MODEL_VERSION = "model version"
    REGISTERED_MODEL = "registered model"


@dataclass(frozen=True)
class Experiment:
    """``updated`` is the newest time that MLflow keeps of the experiment itself."""

    id: str
    name: str
    updated: int
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """``touched`` is the newest of its start, its end and its last metrics; 0 where unknown.

    ``in_progress`` is a run that has not ended, or that a client took up again. ``metrics`` are
    the names of its metrics, ``outputs`` the ids of the logged models that it says it made, and
    ``uses`` the runs and experiments of what it says it was made from.
    """

    id: str
    name: str
    experiment_id: str
    touched: int
    tags: Mapping[str, str]
    in_progress: bool = False
    metrics: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    uses: frozenset["Key"] = frozenset()

    @property
    def points_to(self) -> frozenset["Key"]:
        """What it keeps for as long as it is kept itself."""
        parent = self.tags.get(PARENT_TAG)
        return self.uses | {(Kind.RUN, parent)} if parent else self.uses


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    ``model_id`` is the logged model that it was made of, where it says so.
    """

    model: str
    version: str
    updated: int
    stage: str
    aliases: tuple[str, ...]
    run_id: str | None
    tags: Mapping[str, str]
    source: str = ""
    model_id: str | None = None

    @property
    def uses(self) -> frozenset[str]:
        """Ids of runs and logged models that it was made of, as far as it says so.

        One without a run id may still have a run's, or a logged model's, folder as its source.
        """
        named = (self.run_id, self.model_id, *re.split(r"[/:?#]", self.source))
        return frozenset(name for name in named if name)

    @property
    def folders(self) -> frozenset[str]:
        """The names in its source, where that is a place and no other version."""
        is_place = not self.source.startswith("models:/")
        return frozenset(re.split(r"[/:?#]", self.source)) if is_place else frozenset()


@dataclass(frozen=True)
class Model:
    """A registered model."""

    name: str
    updated: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Inventory:
    """Live entities of a server.

    ``used`` are experiments and runs that are in use by what they hold (traces, logged models,
    datasets) or by what points to them (prompts), as far as that was asked.
    """

    experiments: tuple[Experiment, ...]
    runs: tuple[Run, ...]
    versions: tuple[Version, ...]
    models: tuple[Model, ...]
    used: frozenset["Key"] = frozenset()


# An entity's, as MLflow's API takes it.
Key = tuple[Kind, str]


@dataclass(frozen=True)
class Question:
    """Whether an experiment, or these runs of it, hold anything that is as new as ``since``.

    ``whole`` says that the experiment itself would be stale.
    """

    experiment: str
    since: int
    whole: bool
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Stale:
    """An entity to prune; ``key`` is what MLflow's API takes.

    Nothing used it since ``unused_since``: its time to live ago.
    """

    kind: Kind
    key: str
    name: str
    experiment: str
    touched: int
    unused_since: int = 0

    @property
    def id(self) -> Key:
        return self.kind, self.key

    def age_days(self, now: datetime) -> int:
        return (milliseconds(now) - self.touched) // _DAY_MS


def milliseconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp() * 1000)


def days_before(now: datetime, days: int) -> int:
    """In ms since 1970."""
    return milliseconds(now) - days * _DAY_MS
