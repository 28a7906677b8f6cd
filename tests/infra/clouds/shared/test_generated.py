"""Secrets that a stack generates: what an update keeps, and what a rotation makes."""

# pyright: reportPrivateUsage=false

from pathlib import Path
from typing import Any

import pytest

from infra.clouds.shared import generated
from runtime.sealed.keys import own_keys
from runtime.settings import load


@pytest.fixture(params=[False, True], ids=["in the state", "on this machine too"])
def props(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    directory = str(tmp_path / "secrets") if request.param else None
    return {"directory": directory, "file": "key", "keep_data": True, "rotation": 0}


def _update(olds: dict[str, Any], **changed: Any) -> dict[str, Any]:
    provider = generated._SecretProvider()
    news = {**olds, **changed, "value": None}
    assert provider.diff("id", olds, news).changes
    outs = provider.update("id", olds, news).outs
    assert outs is not None
    if news["directory"]:
        assert (Path(news["directory"]) / "key").read_text() == outs["value"]
    assert not provider.drifted(outs)
    return outs


def test_a_rotated_key_stands_before_those_of_before(props: dict[str, Any]) -> None:
    made = generated._SecretProvider().create(props).outs
    assert made is not None
    same = _update(made, keep_data=False)
    assert same["value"] == made["value"]
    once = _update(same, rotation=1)
    new, before = once["value"].split()
    assert before == made["value"] != new
    for rotation in range(2, 8):
        once = _update(once, rotation=rotation)
    keys = own_keys(load({"TRACKSTACK_SECRETS_KEY": once["value"]}))
    assert len(keys) == len(set(keys)) == 5


def test_a_key_that_is_lost_here_is_taken_from_the_state(props: dict[str, Any]) -> None:
    made = generated._SecretProvider().create(props).outs
    assert made is not None
    if made["directory"]:
        (Path(made["directory"]) / "key").unlink()
    assert _update(made, rotation=1)["value"].split()[1] == made["value"]
