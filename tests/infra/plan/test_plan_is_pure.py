"""A plan is decided from what it is handed: no cloud's SDK, no file, nothing of this machine."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_PURE = ("infra/plan", "infra/settings")
_MACHINE = {
    *("builtins", "ctypes", "getpass", "glob", "importlib", "io", "os", "platform", "pwd"),
    *("shutil", "socket", "subprocess", "sys", "tempfile", "time", "urllib"),
}
_TOUCHES = {
    *("absolute", "cwd", "exists", "expanduser", "glob", "home", "is_dir", "is_file", "iterdir"),
    *("open", "read_bytes", "read_text", "resolve", "rglob", "stat", "write_text"),
}
# Makes every plan twice, for the first one imports modules, and prints what the second opened.
_WATCHED = """
import json, sys
from pathlib import Path
import infra.plan, infra.settings
from infra.plan import make_plan
from infra.place import read_place
from infra.settings import parse

opened, watching = [], False

def watch(event, arguments):
    if watching and event in ("open", "os.listdir", "os.scandir", "subprocess.Popen"):
        opened.append(str(arguments[0]))

sys.addaudithook(watch)
for given in json.loads(sys.argv[1]):
    settings = parse(given)
    place = read_place(settings, "watched", settings.secret_keys)
    make_plan(settings, place)
    watching = True
    make_plan(settings, place)
    watching = False
print(json.dumps([opened, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def _sources() -> list[Path]:
    return [path for folder in _PURE for path in (_ROOT / folder).rglob("*.py")]


def _names(path: Path) -> set[str]:
    """Top-level packages that a module imports, and what it calls by these names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Attribute) and node.attr in _TOUCHES:
            found.add(node.attr)
        elif isinstance(node, ast.Name) and node.id in ("open", "__file__", "__import__"):
            found.add(node.id)
    return found


@pytest.mark.parametrize("path", _sources(), ids=lambda path: path.relative_to(_ROOT).as_posix())
def test_plan_and_settings_neither_import_pulumi_nor_touch_the_machine(path: Path) -> None:
    forbidden = _MACHINE | _TOUCHES | {"__file__", "__import__", "open"}
    if path == _ROOT / "infra/plan/__init__.py":
        # It finds the plan of each cloud in the module of its name.
        forbidden -= {"importlib"}
    names = _names(path)
    assert names & forbidden == set()
    assert {name for name in names if name.startswith("pulumi")} == set()


def test_a_plan_opens_nothing_and_loads_no_pulumi(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    files = {
        "extraCaFile": str(certificate),
        "tls": "files",
        "tlsCertificateFile": str(certificate),
        "hostname": "mlflow.example.com",
    }
    ocid = "ocid1.{}.oc1..aaaa"
    cloud = {**files, "allowedCidrs": '["0.0.0.0/0"]'}
    stacks = [
        {"cloud": "local", "dataDir": "~/data"},
        {"cloud": "local", "compute": "container", "dataDir": "~/data", **files},
        {
            "cloud": "azure",
            "subscriptionId": "6731de76-14a6-49ae-97bc-6eba6914391e",
            "region": "westeurope",
            **cloud,
        },
        {
            "cloud": "oci",
            "tenancyId": ocid.format("tenancy"),
            "compartmentId": ocid.format("compartment"),
            "region": "eu-frankfurt-1",
            **cloud,
        },
    ]
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, json.dumps(stacks)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    opened, modules = json.loads(done.stdout)
    assert opened == []
    assert [name for name in modules if name.startswith("pulumi")] == []
