"""What a pass did, for people and machines."""

from dataclasses import dataclass, field

from runtime.gc.decide import Kind
from runtime.gc.judge import Judgement


@dataclass
class Report:
    """What a pass did, or with a dry run would do: counts by kind, and by entity what was left.

    ``kept_registered`` counts what a registered version needs. ``kept`` is not deleted at all,
    because of another row; of ``kept_artifacts`` the rows went, and the artifacts stayed where they
    are, because they are not provably that entity's own.
    """

    dry_run: bool
    deleted: dict[str, int] = field(default_factory=dict[str, int])
    kept_registered: dict[str, int] = field(default_factory=dict[str, int])
    kept: dict[str, str] = field(default_factory=dict[str, str])
    kept_artifacts: dict[str, str] = field(default_factory=dict[str, str])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    quarantined: dict[str, str] = field(default_factory=dict[str, str])

    def count(self, kind: Kind, number: int) -> None:
        self.deleted[kind.name] = self.deleted.get(kind.name, 0) + number

    def note(self, kind: Kind, judgement: Judgement) -> None:
        self.kept_registered[kind.name] += len(judgement.registered)
        self.kept.update(judgement.kept)
        self.kept_artifacts.update(judgement.left)
