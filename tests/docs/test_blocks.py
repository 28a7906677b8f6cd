"""Every block of shell on a page is run, or has a test that does the same, or says why neither."""

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from infra.clouds.local import supervisor
from infra.place import ROOT
from infra.rehearsal.system.ports import find_free_port
from tests.docs.blocks import GENERATED, RUN, SHOWN
from tests.docs.pages import name, pages

_BLOCK = re.compile(r"(?ms)^```sh\n(.*?)^```$")


def _blocks(page: str) -> list[str]:
    return _BLOCK.findall((ROOT / page).read_text())


def test_every_block_is_shown_or_says_why_not() -> None:
    counted = {name(page): len(_blocks(name(page))) for page in pages()}
    there = {page: count for page, count in counted.items() if count and page not in GENERATED}
    assert there == {page: len(shown) for page, shown in SHOWN.items()}


@pytest.mark.parametrize("page", SHOWN)
def test_what_shows_a_block_is_a_test_that_there_is(page: str) -> None:
    for shown in SHOWN[page]:
        file, separator, test = shown.partition("::")
        if separator:
            tree = ast.parse((ROOT / file).read_text())
            assert test in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, shown


@pytest.fixture
def project() -> Iterator[Path]:
    """The project in a folder with a space, as a fresh clone has it, with what setup installs."""
    with TemporaryDirectory(prefix="ts-") as above:
        folder = Path(above) / "my stack"
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
        for file in listed.stdout.splitlines():
            if (ROOT / file).is_file() and not file.startswith("tests/"):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, folder / file)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        own = folder / ".trackstack"
        own.mkdir()
        if (engine := ROOT / ".trackstack" / "engine").exists():
            (own / "engine").symlink_to(engine)
        subprocess.run([folder / "tools" / "state.sh"], check=True)
        (own / "infra.ready").touch()
        try:
            yield folder
        finally:
            for pid in (own / "data").glob("*/supervisord.pid"):
                supervisor.stop(str(pid.parent))


def _session(page: str) -> str:
    return "\n".join(
        block for block, shown in zip(_blocks(page), SHOWN[page], strict=True) if shown == RUN
    )


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_the_blocks_do_what_they_say_as_they_are_printed(project: Path) -> None:
    """README and tutorial as one session each, and what other pages show of a local stack."""
    # A port that is free, where the pages have the default.
    first, second = find_free_port(), find_free_port()
    example = project / "stacks" / "examples" / "Pulumi.local.yaml"
    example.write_text(f"{example.read_text().rstrip()}\n  trackstack:port: {first}\n")
    others = [page for page in SHOWN if page not in ("README.md", "docs/tutorial.md")]
    tutorial = _session("docs/tutorial.md")
    ending = _blocks("docs/tutorial.md")[-1]
    script = "\n".join(
        [_session("README.md"), tutorial.removesuffix(ending), *map(_session, others), ending]
    )
    script = script.replace("127.0.0.1:5000", f"127.0.0.1:{first}").replace("5010", str(second))
    home = project.parent / "home"
    home.mkdir()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "PULUMI_"))}
    done = subprocess.run(
        ["sh", "-exc", script],
        cwd=project,
        # Not the project that the virtual environment is of.
        env={**inherited, "HOME": str(home), "PYTHONPATH": str(project)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
    assert "is Champion" in done.stdout
    data = project / ".trackstack" / "data"
    assert (data / "local" / "store" / "mydb.sqlite").exists()
    assert not (data / "local" / "supervisord.pid").exists()
