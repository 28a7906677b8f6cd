"""Who may import what: read from the source, so that no import hides behind a condition."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def _imports(folder: str) -> Iterator[tuple[Path, str]]:
    for path in (_ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                yield path, node.module or ""


def _top(name: str) -> str:
    return name.split(".")[0]


def test_the_runtime_imports_neither_pulumi_nor_infra() -> None:
    assert [
        (path.name, name)
        for path, name in _imports("runtime")
        if _top(name).startswith("pulumi") or _top(name) in ("infra", "tests")
    ] == []


def test_infra_is_imported_by_its_full_name_only() -> None:
    own = {path.stem for path in (_ROOT / "infra").iterdir()} - {"__init__", "__main__"}
    assert [(path.name, name) for path, name in _imports("infra") if _top(name) in own] == []


def test_no_module_of_infra_hides_a_package() -> None:
    """Pulumi puts infra/ first on sys.path: a module there hides the package of its name."""
    names = {path.stem for path in (_ROOT / "infra").iterdir()}
    packages = sys.stdlib_module_names | {"pulumi", "oci", "docker", "azure", "mlflow"}
    assert names & packages == set()


def test_only_settings_reads_the_configuration() -> None:
    readers = {
        path.relative_to(_ROOT).as_posix()
        for path in (_ROOT / "infra").rglob("*.py")
        if re.search(r"pulumi\.Config\(|runtime(\.| import )config", path.read_text())
    }
    assert readers == {"infra/inputs.py"}


def test_only_a_stack_asks_the_engine_for_its_configuration() -> None:
    """Whoever reads single keys decides again, and otherwise, what the plan has decided."""
    asking = {
        path.relative_to(_ROOT).as_posix()
        for path in (_ROOT / "infra").rglob("*.py")
        if re.search(r"""["']config["'],\s*["'](--json|get)""", path.read_text())
    }
    assert asking == {"infra/stack.py"}


def test_only_settings_and_the_plan_know_the_variable_names() -> None:
    """But for the health check, which must import nothing, and what MLflow itself reads."""
    known = {
        "process.py",
        "settings.py",
        "health.py",
        "server.py",
        "tracking.py",
        "slim.py",
        "middleware.py",
    }
    for path in (_ROOT / "runtime").rglob("*.py"):
        if path.name in known:
            continue
        text = path.read_text()
        assert "os.environ" not in text, path
