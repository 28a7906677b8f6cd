"""The lock for each version of MLflow that a stack file may name."""

import re
from typing import get_args

import pytest

from infra.place import ROOT
from infra.settings.image import MlflowVersion
from runtime.image.choose_mlflow import chosen

_LOCK = (ROOT / "requirements.lock").read_text()
_OTHERS = ROOT / "runtime" / "image"


def _pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([\w.-]+)==([\w.]+)", lock))


@pytest.mark.parametrize("version", get_args(MlflowVersion))
def test_a_version_is_locked_by_hash_and_all_else_stays(version: str) -> None:
    found = chosen(_LOCK, version, _OTHERS)
    theirs, ours = _pins(found), _pins(_LOCK)
    packages = {"mlflow", "mlflow-skinny", "mlflow-tracing"}
    assert {theirs.pop(name).rpartition(".")[0] for name in packages} == {version}
    assert all(ours.pop(name) for name in packages)
    assert theirs == ours
    # Each pin has its hashes, and each continued line another.
    assert found.count("\nmlflow") == 3
    assert not re.search(r"(?m)^[\w.-]+==\S+ *$", found)
    assert not re.search(r"\\\n(?! )", found)


def test_the_first_is_the_lock_s_own_and_there_is_a_lock_for_each_other() -> None:
    own, *others = get_args(MlflowVersion)
    assert chosen(_LOCK, "", _OTHERS) == chosen(_LOCK, own, _OTHERS) == _LOCK
    assert {f"mlflow-{other}.lock" for other in others} == {
        path.name for path in _OTHERS.glob("*.lock")
    }


def test_a_version_that_is_none_of_them_is_told_which_there_are() -> None:
    with pytest.raises(ValueError, match=r"MLFLOW=2\.22: there are 3\.16, 3\.17"):
        chosen(_LOCK, "2.22", _OTHERS)


@pytest.mark.parametrize("page", ["docs/reference/platforms.md", "docs/operations/upgrade.md"])
def test_the_pages_say_which_there_are(page: str) -> None:
    text = (ROOT / page).read_text()
    for version in get_args(MlflowVersion):
        assert _pins(chosen(_LOCK, version, _OTHERS))["mlflow"] in text
