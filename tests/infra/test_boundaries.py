"""Who may import what: read from the source, so that no import hides behind a condition."""

import ast
import functools
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_REHEARSAL = _ROOT / "infra" / "rehearsal"


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


def test_nothing_outside_tests_imports_tests() -> None:
    assert [
        (path.name, name)
        for folder in ("infra", "runtime", "tools")
        for path, name in _imports(folder)
        if _top(name) == "tests"
    ] == []


def test_only_the_rehearsal_and_tests_import_the_rehearsal() -> None:
    assert [
        (path.name, name)
        for path, name in _imports("infra")
        if name.startswith("infra.rehearsal") and _REHEARSAL not in path.parents
    ] == []


def test_the_rehearsal_declares_what_it_imports_and_nothing_else() -> None:
    rehearsal, infra, runtime = map(_declared, ("rehearsal", "infra", "dependencies"))
    imported = {
        package
        for _, name in _imports("infra/rehearsal")
        if _top(name) not in sys.stdlib_module_names | {"infra", "runtime"}
        for package in _distributions(name)
    }
    assert imported <= rehearsal | infra | runtime
    assert rehearsal <= imported


def _declared(group: str) -> set[str]:
    """The packages of a list in pyproject.toml, such as a dependency group."""
    text = (_ROOT / "pyproject.toml").read_text()
    found = re.search(rf"^{group} = (\[.*?\])$", text, re.MULTILINE | re.DOTALL)
    assert found is not None, group
    # A TOML array of strings is a Python list.
    return {_normalized(re.split(r"[^\w.-]", entry)[0]) for entry in ast.literal_eval(found[1])}


def _normalized(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def _distributions(module: str) -> set[str]:
    """The installed distributions that have a module; of several, those that are named after it."""
    found = set(map(_normalized, _installed()[_top(module)]))
    parts = module.split(".")
    path = "-".join([*parts, ""])
    named = {name for name in found if name in parts or path.startswith(f"{name}-")}
    return named or found


@functools.cache
def _installed() -> Mapping[str, list[str]]:
    return packages_distributions()


def test_the_rehearsal_has_small_modules_in_small_folders() -> None:
    modules = list(_REHEARSAL.rglob("*.py"))
    assert [path.name for path in modules if len(path.read_text().splitlines()) > 300] == []
    folders = Counter(path.parent for path in modules if path.name != "__init__.py")
    assert [folder.name for folder, count in folders.items() if count > 12] == []


def test_the_rehearsal_has_no_circle_of_imports() -> None:
    """Imports for typing only are counted, too."""
    modules = {_module(path): path for path in _REHEARSAL.rglob("*.py")}
    needs: dict[str, set[str]] = {name: set() for name in modules}
    for path in modules.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
                # What a package gives is its modules, not what its __init__ has.
                found = {name for name in names & modules.keys() if name not in _packages(modules)}
                needs[_module(path)] |= found
    list(TopologicalSorter(needs).static_order())


def _module(path: Path) -> str:
    name = path.relative_to(_ROOT).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


def _packages(modules: dict[str, Path]) -> set[str]:
    return {name for name, path in modules.items() if path.name == "__init__.py"}


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
    assert asking == {"infra/operations/stack.py"}


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
