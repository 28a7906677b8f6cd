"""What is in the runtime image, and what is not: packages, layers, build arguments, secrets."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from infra.place import ROOT
from infra.rehearsal.system.daemon import build, docker, extra_ca, registry
from runtime.image import prune_dependencies as slim
from tests.runtime.server.image.container import HARDENED
from tests.runtime_image import runtime_image

LEFT_OUT = ("matplotlib", "pyarrow", "sklearn", "scipy", "skops")


def _python(code: str) -> str:
    """Run Python in a container of the image."""
    image = runtime_image()
    return docker(
        "run", "--rm", *HARDENED, "--entrypoint", "/opt/trackstack/bin/python", image, "-c", code
    )


def _layers(tag: str) -> list[str]:
    return json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", tag))


def test_only_what_mlflow_asks_for_can_be_left_out() -> None:
    from importlib import metadata

    asked = metadata.requires("mlflow") or []
    plain = [line for line in asked if "extra ==" not in line]
    assert len([line for line in slim.kept(asked) if "extra ==" not in line]) == len(plain) - len(
        slim.UNUSED
    )
    with pytest.raises(ValueError, match="pyarrow"):
        slim.kept([line for line in asked if not line.startswith("pyarrow")])


@pytest.mark.slow
def test_what_is_left_out_is_not_there_and_every_module_of_the_server_imports() -> None:
    code = f"""
import importlib, importlib.util, pkgutil
assert not [n for n in {LEFT_OUT} if importlib.util.find_spec(n)]
import mlflow.server, mlflow.store.tracking, mlflow.gateway, runtime
parts = mlflow.server, mlflow.store.tracking, mlflow.store.model_registry, mlflow.gateway, runtime
missing = []
for part in parts:
    for module in pkgutil.walk_packages(part.__path__, part.__name__ + "."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            missing.append((module.name, error.name))
        except (Exception, SystemExit):
            pass
print([m for m in missing if m[1] in {LEFT_OUT}])
"""
    assert _python(code) == "[]"


@pytest.mark.nightly
def test_a_build_without_cache_gives_the_same_layers() -> None:
    again = f"trackstack/runtime:again-{secrets.token_hex(4)}"
    build(again, cache=False)
    try:
        assert _layers(again) == _layers(runtime_image())
    finally:
        docker("rmi", again)


@pytest.mark.parametrize(
    ("extras", "words"),
    [
        ("", ["--extra", "server"]),
        ("all", ["--all-extras"]),
        ("mysql,oci", ["--extra", "server", "--extra", "mysql", "--extra", "oci"]),
    ],
)
def test_extras_are_none_some_or_all(extras: str, words: list[str]) -> None:
    """By the Dockerfile's own line, in a shell."""
    dockerfile = (ROOT / "runtime" / "Dockerfile").read_text()
    [script] = re.findall(r"(?s)pyproject\.toml \\\n +\$\((if .*?; fi)\)\n", dockerfile)
    given = {**os.environ, "EXTRAS": extras}
    run = subprocess.run(
        ["sh", "-c", script], env=given, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == words
    uv = ["uv", "pip", "install", "--dry-run", "--offline", "--python", sys.executable]
    asked = [*uv, "-c", "requirements.lock", "-r", "pyproject.toml", *words]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def custom_image() -> Generator[str]:
    """Built with every argument; trusts the registry's private CA."""
    tag = f"trackstack/runtime:custom-{secrets.token_hex(4)}"
    arguments = {
        "EXTRAS": "all",
        "EXTRA_PACKAGES": "prometheus-flask-exporter",
        "EXTRA_CA": extra_ca() + registry().ca_file.read_text(),
        "VERSION": "1.2.3",
        "REVISION": "abc123",
    }
    build(tag, arguments)
    yield tag
    docker("rmi", tag)


@pytest.mark.slow
def test_extras_packages_and_labels_are_as_asked(custom_image: str) -> None:
    code = (
        "import importlib.util as u, prometheus_flask_exporter\n"
        "there = ['psycopg2', 'pymysql', 'authlib', 'oci', 'boto3', 'azure.storage.blob']\n"
        "print([n for n in [*there, 'sklearn'] if not u.find_spec(n)])"
    )
    run = ("run", "--rm", "--entrypoint", "/opt/trackstack/bin/python")
    assert docker(*run, custom_image, "-c", code) == "['sklearn']"
    shown = docker("image", "inspect", "--format", "{{json .Config.Labels}}", custom_image)
    labels = json.loads(shown)
    assert labels["org.opencontainers.image.version"] == "1.2.3"
    assert labels["org.opencontainers.image.revision"] == "abc123"


@pytest.mark.slow
def test_an_extra_ca_is_trusted_where_it_was_built_in_and_nowhere_else(custom_image: str) -> None:
    code = (
        "import requests\n"
        f"try: print(requests.get('https://{registry().address}/v2/', timeout=20).status_code)\n"
        "except requests.exceptions.SSLError: print('not trusted')"
    )
    run = ("run", "--rm", "--network", "host", "--entrypoint", "/opt/trackstack/bin/python")
    assert docker(*run, custom_image, "-c", code) == "401"
    assert docker(*run, runtime_image(), "-c", code) == "not trusted"


@pytest.mark.slow
def test_what_else_lies_in_the_checkout_does_not_reach_the_image(tmp_path: Path) -> None:
    """A stray secret changes no layer."""
    for name in (".dockerignore", "pyproject.toml", "requirements.lock"):
        shutil.copy2(ROOT / name, tmp_path / name)
    sources = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "runtime", tmp_path / "runtime", ignore=sources)
    for stray in (
        "passphrase",
        ".env",
        "runtime/.env",
        "runtime/gc/oci.key",
        "runtime/__pycache__/x",
    ):
        (tmp_path / stray).parent.mkdir(exist_ok=True)
        (tmp_path / stray).write_text(secrets.token_hex(16))
    tag = f"trackstack/runtime:stray-{secrets.token_hex(4)}"
    build(tag, context=tmp_path)
    try:
        assert _layers(tag) == _layers(runtime_image())
    finally:
        docker("rmi", tag)


@pytest.mark.slow
def test_no_secret_is_in_the_history_the_environment_or_the_files() -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", runtime_image())
    environment = docker("image", "inspect", "--format", "{{json .Config.Env}}", runtime_image())
    for text in (history, environment):
        assert not [w for w in ("PRIVATE KEY", "PASSWORD=", "TOKEN=", "SECRET=") if w in text]
    listed = _python(
        "import pathlib\n"
        "own = pathlib.Path('/opt/trackstack')\n"
        "print([str(p) for p in own.rglob('*') if p.name in ('.git', '.trackstack', 'stacks')"
        " or p.suffix == '.key' or p.name.startswith('Pulumi.')])"
    )
    assert listed == "[]"
