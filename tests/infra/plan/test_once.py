"""What is decided in one place: files that cannot import it repeat it, and agree."""

import re
from pathlib import Path

import pytest

from infra.plan import make_plan
from infra.plan.place import Place
from infra.plan.workloads import SERVER_PORT, USER
from infra.settings import parse
from infra.settings.image import DEFAULT_BASE
from infra.settings.local import Local
from runtime import health
from runtime.cli import COMMANDS
from runtime.jobs import schedules as jobs
from runtime.jobs.scheduler import arguments_of
from runtime.settings import RuntimeSettings, default

_ROOT = Path(__file__).parents[3]
_DOCKERFILE = (_ROOT / "runtime" / "Dockerfile").read_text()


def _instruction(name: str) -> str:
    """The words of the Dockerfile's one instruction of this name, or ARG of it."""
    [words] = re.findall(rf"^(?:ARG )?{name}[ =](.+)$", _DOCKERFILE, re.MULTILINE)
    return words


def test_the_image_is_built_on_the_base_that_the_plan_names() -> None:
    assert f"docker.io/library/{_instruction('BASE_IMAGE')}" == DEFAULT_BASE


def test_the_image_s_user_is_the_one_that_containers_and_machines_run_as() -> None:
    assert _instruction("USER") == USER
    named = set(re.findall(r'"trackstack:x:(\d+):(\d*)', _DOCKERFILE))
    user, group = USER.split(":")
    assert named == {(user, group), (group, "")}


def test_the_server_s_port_is_one_everywhere() -> None:
    port = default("port")
    assert int(_instruction("EXPOSE")) == port
    assert port == SERVER_PORT
    assert Local.model_fields["port"].default == port
    # Imports nothing, and so repeats names and defaults.
    assert health.target({}) == (default("host"), port, health.PATH)


def test_only_the_health_check_spells_the_health_route() -> None:
    spelt = {
        path.relative_to(_ROOT).as_posix()
        for folder in ("infra", "runtime")
        for path in (_ROOT / folder).rglob("*.py")
        if re.search(r"[\"'}]/health[\"'?]", path.read_text())
    }
    # The proxy's own probe has a route of its own.
    assert spelt == {"runtime/health.py", "infra/plan/proxy.py"}


def test_every_job_has_a_key_of_the_stack_file_and_a_command() -> None:
    assert list(jobs.SCHEDULES) == ["gc", "prune", "backup", "drill"]
    for job, field in jobs.SCHEDULES.items():
        assert field in Local.model_fields
        assert arguments_of(job, RuntimeSettings.model_validate({}))[0] in COMMANDS


def test_a_job_that_is_added_to_the_table_is_scheduled_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(jobs.SCHEDULES, "archive", "prune_schedule")
    assert jobs.schedules(RuntimeSettings.model_validate({}))["archive"] == "0 0 * * *"
    for keys in ({"cloud": "local"}, {"cloud": "local", "compute": "container"}):
        plan = make_plan(parse({**keys, "pruneSchedule": "1 2 * * *"}), Place("t", _ROOT))
        assert plan.schedules["archive"] == "1 2 * * *"
