"""The pipelines of this project itself: their form, their commands, and what they may do.

actionlint has them beside the pipelines that users copy: tests/infra/test_pipelines.py.
"""

import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from jsonschema import Draft7Validator

from infra.place import ROOT
from tests.docs.known import problems
from tests.docs.pages import commands
from tests.workflows import OWN, scripts

_MAKERS = ("actions/", "docker/", "./.github/workflows/")
# Workflow -> what its token may change.
_WRITES = {
    "docs": {"pages", "id-token"},
    "lock": {"contents", "pull-requests"},
    "release": {"contents", "packages"},
}


def _read(path: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load(path.read_text()))


def _wrong(schema: str, found: Any) -> list[str]:
    """By the schema that its maker publishes."""
    path = Path(str(files("check_jsonschema"))) / "builtin_schemas" / "vendor" / f"{schema}.json"
    validator = Draft7Validator(json.loads(path.read_text()))
    errors: Any = validator.iter_errors(found)  # pyright: ignore[reportUnknownMemberType]
    return [str(error.message) for error in errors]


def test_there_is_a_workflow_for_each_habit() -> None:
    assert {path.stem for path in OWN} >= {"check", "docs", "lock", "nightly", "release"}


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_a_workflow_fits_its_schema_and_a_broken_one_does_not(path: Path) -> None:
    # YAML 1.1 reads `on` as a truth value.
    found: dict[Any, Any] = dict(_read(path))
    found["on"] = found.pop(True)
    assert _wrong("github-workflows", found) == []
    assert _wrong("github-workflows", {**found, "jobs": {"a": {"runs_on": "x"}}}) != []


def test_dependabot_fits_its_schema_and_names_folders_that_there_are() -> None:
    found = _read(ROOT / ".github" / "dependabot.yml")
    assert _wrong("dependabot", found) == []
    assert _wrong("dependabot", {**found, "version": 3}) != []
    for update in found["updates"]:
        for folder in update.get("directories") or [update["directory"]]:
            assert (ROOT / folder.lstrip("/")).is_dir()


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_every_command_of_a_workflow_is_one_that_there_is(path: Path) -> None:
    for script in scripts(_read(path)):
        plain = re.sub(r"\$\{\{.*?\}\}", "x", script)
        done = subprocess.run(["bash", "-n"], input=plain, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert [p for words in commands(plain) for p in problems(words)] == []
        for tool in re.findall(r"(?<!\S)(?:tools|\.ci)/[\w./]+", plain):
            assert (ROOT / tool).is_file(), tool


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_a_workflow_may_change_what_it_must_and_runs_known_makers_actions(path: Path) -> None:
    found = _read(path)
    assert found["permissions"] == {"contents": "read"}
    given = [job.get("permissions", {}) for job in found["jobs"].values()]
    writes = {name for each in given for name, right in each.items() if right == "write"}
    assert writes == _WRITES.get(path.stem, set())
    text = path.read_text()
    assert "secrets." not in text
    assert all("timeout-minutes" in job or "uses" in job for job in found["jobs"].values())
    for action in re.findall(r"uses: (\S+)", text):
        assert action.startswith(_MAKERS)
        assert action.startswith("./") or re.fullmatch(r".+@v\d+", action)


def test_pre_commit_runs_what_there_is() -> None:
    [local] = _read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        program, *words = hook["entry"].split()
        assert program in (".venv/bin/ruff", ".venv/bin/python")
        assert hook["language"] == "system"
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/"))
        assert re.compile(hook.get("files", ""))
