"""The rules of the house, read from the source: what is written here cannot be broken unseen.

Layers and circles are contracts of import-linter, in pyproject.toml.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

_ROOT = Path(__file__).parents[2]
_OWN = ("infra", "runtime", "tests", "tools")
_LONGEST_MODULE = 300
_LARGEST_FOLDER = 12

# What is over a limit today. A line here only ever goes away.
_TOO_LONG: set[str] = set()
_TOO_LARGE: set[str] = set()


def _modules(folder: str) -> list[Path]:
    found = sorted((_ROOT / folder).rglob("*.py"))
    assert found, folder
    return found


def _name(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


def _imports(path: Path) -> Iterator[str]:
    """Every import of a module, also one inside a function or a condition."""
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}: a relative import"
            yield node.module or ""


def test_layers_and_circles() -> None:
    assert lint_imports(config_filename=str(_ROOT / "pyproject.toml"), no_cache=True) == 0


def test_nothing_but_tests_imports_tests() -> None:
    guilty = [
        (_name(path), name)
        for folder in ("infra", "runtime", "tools")
        for path in _modules(folder)
        for name in _imports(path)
        if name.split(".")[0] == "tests"
    ]
    assert guilty == []


def test_infra_is_imported_by_its_full_name() -> None:
    """The engine puts infra/ first on sys.path: `import plan` would make a second module of it."""
    own = {path.stem for path in (_ROOT / "infra").iterdir()} - {"__init__", "__main__"}
    guilty = [
        (_name(path), name)
        for path in _modules("infra")
        for name in _imports(path)
        if name.split(".")[0] in own
    ]
    assert guilty == []


def test_no_module_of_infra_hides_a_package() -> None:
    """For the same reason, a module there hides the package of its name."""
    names = {path.stem for path in (_ROOT / "infra").iterdir()}
    assert (
        names & (sys.stdlib_module_names | {"pulumi", "oci", "docker", "azure", "mlflow"}) == set()
    )


def test_no_module_is_too_long() -> None:
    long = {
        _name(path)
        for folder in _OWN
        for path in _modules(folder)
        if len(path.read_text().splitlines()) > _LONGEST_MODULE
    }
    assert long == _TOO_LONG


def test_no_folder_holds_too_many_modules() -> None:
    counted = Counter(
        _name(path.parent)
        for folder in _OWN
        for path in _modules(folder)
        if path.name != "__init__.py"
    )
    assert {name for name, count in counted.items() if count > _LARGEST_FOLDER} == _TOO_LARGE


# --- declared dependencies ------------------------------------------------------------------


def _lists(section: str) -> dict[str, set[str]]:
    """The lists of packages in a section of pyproject.toml, by name."""
    text = (_ROOT / "pyproject.toml").read_text()
    [body] = re.findall(rf"^\[{re.escape(section)}\]$(.*?)(?=^\[|\Z)", text, re.M | re.S)
    found = re.findall(r"^([\w-]+) = (\[.*?\])$", body, re.M | re.S)
    # A TOML array of strings is a Python list.
    return {name: _names(ast.literal_eval(array)) for name, array in found}


def _declared() -> dict[str, set[str]]:
    """Area of the project -> the distributions that pyproject.toml gives it."""
    extras, groups = _lists("project.optional-dependencies"), _lists("dependency-groups")
    runtime = _lists("project")["dependencies"].union(*extras.values())
    infra = runtime.union(*(names for name, names in groups.items() if name.startswith("infra")))
    rehearsal = infra | groups["rehearsal"]
    return {
        "runtime": runtime,
        "infra": infra,
        "infra/rehearsal": rehearsal,
        "tests": rehearsal | groups["dev"],
        "tools": set(),
        "tools/reference": infra,
    }


def _names(requirements: Iterable[str]) -> set[str]:
    return {_normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _area(path: Path) -> str:
    name = _name(path)
    parts = (part for part in ("infra/rehearsal", "tools/reference") if name.startswith(f"{part}/"))
    return next(parts, name.split("/")[0])


def _distributions(module: str) -> set[str]:
    """The installed distributions that have a module; of several, those that are named after it."""
    found = set(map(_normal, _installed().get(module.split(".")[0], [])))
    parts = module.split(".")
    path = "-".join([*parts, ""])
    named = {name for name in found if name in parts or path.startswith(f"{name}-")}
    return named or found


@cache
def _installed() -> Mapping[str, list[str]]:
    return packages_distributions()


@pytest.mark.parametrize(
    "area", ["runtime", "infra", "infra/rehearsal", "tests", "tools", "tools/reference"]
)
def test_what_is_imported_is_declared(area: str) -> None:
    declared = _declared()[area]
    undeclared = {
        f"{name} ({_name(path)})"
        for path in _modules(area)
        if _area(path) == area
        for name in _imports(path)
        if name.split(".")[0] not in {*sys.stdlib_module_names, *_OWN}
        and not _distributions(name) & declared
    }
    assert undeclared == set()


def test_what_the_rehearsal_declares_it_imports() -> None:
    """Users install it for `make rehearse`: nothing that it does not need."""
    imported = {
        distribution
        for path in _modules("infra/rehearsal")
        for name in _imports(path)
        for distribution in _distributions(name)
    }
    assert _lists("dependency-groups")["rehearsal"] - imported == set()


# --- one fact in one place ------------------------------------------------------------------

_VARIABLE = re.compile(r"(MLFLOW|TRACKSTACK|OCIFS)_[A-Z_]+")
# What spells a variable's name beside RuntimeSettings: it must be set for MLFLOW itself, which
# reads it from the environment, or be read by what must import nothing.
_SPELL_NAMES = {
    "runtime/settings/__init__.py",
    # Of MLflow, where it is not imported.
    "runtime/settings/mysql.py",
    "runtime/health.py",
    "runtime/server/command.py",
    "runtime/sealed/gateway.py",
    "runtime/server/mlflow_jobs.py",
    # Imported by every client of MLflow's.
    "runtime/server/job_places.py",
    "runtime/access/backups.py",
    "runtime/retention/inventory.py",
    # A client's own environment, where nothing that reads settings is installed.
    "runtime/client/variables.py",
    # What a child must not be told.
    "runtime/process.py",
    # Between the engine's program and its commands, beside any stack file.
    "infra/clouds/data.py",
    "infra/clouds/shared/settled.py",
    # Where a team has its stack files, which no server reads.
    "infra/operations/stack/file.py",
    # A real client's own environment.
    "infra/rehearsal/sandbox.py",
    "infra/rehearsal/smoke.py",
}


def test_variable_names_stand_in_runtime_settings_alone() -> None:
    guilty = {
        f"{_name(path)}: {node.value}"
        for folder in ("infra", "runtime")
        for path in _modules(folder)
        if _name(path) not in _SPELL_NAMES
        for node in _nodes(path)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _VARIABLE.fullmatch(node.value)
    }
    assert guilty == set()


def test_the_environment_is_read_by_settings() -> None:
    """But for the health check, which must import nothing, and what MLflow itself reads."""
    known = {*_SPELL_NAMES, "runtime/image/prune_dependencies.py"}
    guilty = {
        _name(path)
        for path in _modules("runtime")
        for node in _nodes(path)
        for found in _said(node)
        if found in ("environ", "environb", "getenv") and _name(path) not in known
    }
    assert guilty == set()


# Where a cloud may be named beside its own folder and module: registries, and tables by store.
_REGISTRIES = {
    "infra/settings/__init__.py",
    "infra/operations/setup.py",
}
_OF_A_CLOUD = re.compile(
    r"infra/(settings|plan|clouds|operations/account|policies/checks|rehearsal|rehearsal/keys)"
    r"/(azure|oci)[/.]"
)


def test_no_module_asks_which_cloud_it_is_but_the_cloud_s_own() -> None:
    """Neither by the cloud's name nor by the class of its settings or plan."""
    clouds = {"azure", "oci"}
    guilty = {
        f"{_name(path)}: {found}"
        for path in _modules("infra")
        if _name(path) not in _REGISTRIES and not _OF_A_CLOUD.match(_name(path))
        for node in _nodes(path)
        for found in _said(node)
        if found in clouds or re.fullmatch(r"(Azure|Oci)(Plan)?", found)
    }
    assert guilty == set()


def _said(node: ast.AST) -> Iterator[str]:
    """A text, or the last word of what is named or imported."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.alias):
        yield node.name.rpartition(".")[2]


def test_stack_files_are_read_in_two_places() -> None:
    """By the program through the engine's configuration, by commands through the engine's JSON.

    Whoever reads single keys decides again, and otherwise, what the plan has decided.
    """
    program = re.compile(r"pulumi\.Config\(|runtime(\.| import )config")
    commands = re.compile(r"""["']config["'],\s*["'](--json|get)""")
    texts = {_name(path): path.read_text() for path in _modules("infra")}
    assert {name for name, text in texts.items() if program.search(text)} == {"infra/inputs.py"}
    asking = {name for name, text in texts.items() if commands.search(text)}
    assert asking == {"infra/operations/stack/__init__.py"}
