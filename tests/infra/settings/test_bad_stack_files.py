"""Bad stack files on the real engine: refused before anything is made.

Two of them: a wrong value, and a secret in plain text, which only the engine can tell. That each
of the others is refused, with its line, is the pure test's (test_settings.py).
"""

import pytest

from infra.rehearsal.engine import Engine
from tests.infra.project import configure, make_project
from tests.infra.stack_files import CONFIGS, read

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return make_project(tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize(
    "name", ["local.error.port-text.yaml", "local.error.backend-store-password.yaml"]
)
def test_a_bad_stack_file_ends_up_with_one_line_and_nothing_made(engine: Engine, name: str) -> None:
    stack_file = read(CONFIGS / name)
    configure(engine, stack_file["config"])
    done = engine.run("up", check=False)
    assert done.code != 0
    lines = {
        line.strip().removeprefix("error: ")
        for line in done.output.splitlines()
        if line.strip().startswith("error: trackstack:")
    }
    assert len(lines) == 1, done.output
    assert stack_file["error"] in lines.pop()
    assert "Traceback" not in done.output
    assert "hunter2" not in done.output
    assert engine.resources() == {}
