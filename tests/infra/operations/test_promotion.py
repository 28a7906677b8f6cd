"""Promotion of deployments: what is decided from outputs, and in which order it is carried out."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from infra.operations import promote
from infra.operations.cost import Change
from infra.operations.promote import Foreseen, Options, Promotion
from infra.operations.stack.findings import Finding
from infra.operations.stack.guard import DataLossError
from runtime.errors import UserError

_NEW, _OLD = ("registry.example/t@sha256:" + digit * 64 for digit in "ab")
_UP = {"tracking_uri": "https://t", "tracking_token": "t"}
_PRINTS = shlex.join([sys.executable, "-c", 'print(\'{"name": "b1"}\')'])
_BACKUP = {**_UP, "command": _PRINTS, "image": _OLD}


def test_an_image_is_promoted_only_by_digest_and_only_where_it_does_not_run_already() -> None:
    plan = promote.decide("dev", "prod", None, {**_UP, "image": _NEW}, {"image": _OLD})
    assert (plan.image, plan.before, plan.needed) == (_NEW, _OLD, True)
    assert not promote.decide("dev", "prod", None, {**_UP, "image": _OLD}, {"image": _OLD}).needed
    assert promote.decide(None, "prod", _NEW, {}, {}).before is None
    with pytest.raises(UserError, match="make up STACK=dev"):
        promote.decide("dev", "prod", None, {}, {})
    for image in ("", "sha256:" + "a" * 64, "trackstack:latest"):
        with pytest.raises(UserError, match="registry"):
            promote.decide("dev", "prod", None, {**_UP, "image": image}, {})


_CHANGE = Change(10, 12.5, "2026-11-21")
_FORESEEN = Foreseen(_CHANGE)


@dataclass
class _Target:
    """A stack on which `up` works with these images only."""

    good: frozenset[str]
    image: str | None = _OLD
    foreseen: Foreseen = _FORESEEN
    said: list[str] = field(default_factory=list[str])

    def configure(self, image: str | None) -> None:
        self.image = image

    def configured(self) -> str | None:
        return self.image

    def preview(self) -> Foreseen:
        return self.foreseen

    def up(self, message: str) -> int:
        self.said.append(message)
        return 0 if self.image in self.good else 1

    def outputs(self) -> dict[str, Any]:
        return _UP


_PLAN = Promotion("dev", "prod", _NEW, _OLD, needed=True)
_WISH = Options(by="ann", yes=True)


@pytest.fixture(autouse=True)
def _well(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    def check(_outputs: Mapping[str, Any], _seconds: float = 0) -> list[str]:
        return []

    monkeypatch.setattr(promote, "check", check)


def _carry_out(target: Any, options: Options = _WISH, plan: Promotion = _PLAN) -> promote.Outcome:
    return promote.carry_out(plan, target, _BACKUP, options)


def test_a_good_image_stays_and_who_did_it_is_in_the_history() -> None:
    target = _Target(frozenset({_NEW}))
    outcome = _carry_out(target)
    assert (outcome.result, outcome.backup, target.image) == ("promoted", "b1", _NEW)
    assert target.said == [f"promote {_NEW} from dev, by ann"]


def test_a_bad_image_makes_room_for_the_one_before() -> None:
    target = _Target(frozenset({_OLD}))
    outcome = _carry_out(target)
    assert (outcome.result, target.image) == ("rolled back", _OLD)
    assert any("make recover STACK=prod FROM=b1" in problem for problem in outcome.problems)
    assert _carry_out(_Target(frozenset())).result == "failed"
    nothing_before = replace(_PLAN, before=None)
    assert _carry_out(_Target(frozenset()), plan=nothing_before).result == "failed"


def test_until_it_is_agreed_and_backed_up_the_stack_file_stays_as_it_was() -> None:
    target = _Target(frozenset({_NEW}))
    previewed = _carry_out(target, replace(_WISH, dry_run=True))
    assert (previewed.result, previewed.cost) == ("previewed", _CHANGE)
    broken = replace(target, foreseen=Foreseen(_CHANGE, works=False))
    with pytest.raises(UserError, match="preview failed"):
        _carry_out(broken)
    assert broken.image == _OLD
    for command in (f"{sys.executable} -c exit(1)", None):
        with pytest.raises(UserError, match="back"):
            promote.carry_out(_PLAN, target, {**_UP, "command": command}, _WISH)  # pyright: ignore[reportArgumentType]
    assert (target.image, target.said) == (_OLD, [])


def test_a_promotion_that_takes_what_holds_data_stops_before_the_backup() -> None:
    taken = Finding("replace", "database", "prod-database", "deleted", "changed: region")
    for works in (True, False):
        target = _Target(frozenset({_NEW}), foreseen=Foreseen(_CHANGE, (taken,), works=works))
        with pytest.raises(DataLossError, match=r"prod-database(.|\n)*DATA=replace:database"):
            promote.carry_out(_PLAN, target, {**_UP, "command": "false"}, _WISH)  # pyright: ignore[reportArgumentType]
        assert (target.image, target.said) == (_OLD, [])
    named = replace(_WISH, allowed=frozenset({"replace:database"}))
    works = _Target(frozenset({_NEW}), foreseen=Foreseen(_CHANGE, (taken,)))
    assert _carry_out(works, named).result == "promoted"
