"""Bad stack files on the real engine: refused before anything is made."""

from pathlib import Path

import pytest

from infra.rehearsal.engine import Engine
from tests.infra.project import configure, make_project
from tests.infra.stack_files import named, read

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return make_project(tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize("path", named("local.error.*.yaml"), ids=lambda path: path.name)
def test_a_bad_stack_file_ends_up_with_one_line_and_nothing_made(
    engine: Engine, path: Path
) -> None:
    stack_file = read(path)
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
