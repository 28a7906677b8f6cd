"""The wheel in an empty environment: what somebody has who only signs in and logs runs."""

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from runtime.access import pages
from runtime.access.people.client_wheel import wheel
from tests.runtime.access.people.site import made, served

_ROOT = Path(__file__).parents[3]
_UV = str(Path(sys.executable).with_name("uv"))


@pytest.mark.slow
@pytest.mark.parametrize("is_served", [False, True])
def test_a_laptop_s_part_is_the_command_and_click(tmp_path: Path, is_served: bool) -> None:
    home = tmp_path / "venv"
    subprocess.run([_UV, "venv", "--quiet", "--python", sys.executable, str(home)], check=True)
    python = str(home / "bin" / "python")
    with served(made(tmp_path / "store")) as uri:
        source = f"{uri}{pages.CLIENT}/{pages.wheel_name()}" if is_served else str(_ROOT)
        install = [_UV, "pip", "install", "--quiet", "--no-cache-dir", "--python", python, source]
        subprocess.run(install, check=True)
    listed = subprocess.run(
        [_UV, "pip", "list", "--python", python, "--format", "json"],
        check=True,
        capture_output=True,
    )
    assert {package["name"] for package in json.loads(listed.stdout)} == {"click", "trackstack"}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(home / "bin" / "trackstack"), *words],
            env={"PATH": os.environ["PATH"], "XDG_CONFIG_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    assert "  login" in run("--help").stdout
    assert "trackstack login https://mlflow.example.com" in run("login", "--help").stdout
    assert "signed in nowhere" in run("whoami").stderr
    server = run("server")
    # No index has a package of that name that is ours.
    assert "in a clone of Trackstack pip install '.[server]'" in server.stderr
    assert server.stderr.count("\n") == 1


def test_the_wheel_that_a_server_offers_is_whole_and_the_same_each_time(tmp_path: Path) -> None:
    site = made(tmp_path / "store")
    # Nobody has a token yet who is to sign in with it.
    answer = site.ask("GET", f"{pages.CLIENT}/{pages.wheel_name()}", {})
    assert (answer.status, answer.body) == (200, wheel())
    assert site.ask("GET", f"{pages.CLIENT}/trackstack-9-py3-none-any.whl", {}).status == 404
    page = site.ask("GET", pages.CLIENT, {})
    assert pages.install("http://127.0.0.1:5000") in page.body.decode()
    with ZipFile(BytesIO(wheel())) as archive:
        names = set(archive.namelist())
        [entries] = (n for n in names if n.endswith("entry_points.txt"))
        assert b"TrackstackAuthProvider" in archive.read(entries)
    assert {"runtime/cli.py", "runtime/client/login.py"} <= names
    file = tmp_path / "client.whl"
    file.write_bytes(wheel())
    # Nothing of it imports what is not in it.
    code = (
        "import sys, importlib, pkgutil\n"
        f"sys.path.insert(0, {str(file)!r})\n"
        "import runtime.cli, runtime.client\n"
        "for found in pkgutil.iter_modules(runtime.client.__path__, 'runtime.client.'):\n"
        "    importlib.import_module(found.name)\n"
        "print({m.__file__.split('.whl')[0] for n, m in sys.modules.items() if n.startswith("
        "'runtime')})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == str({str(file).removesuffix(".whl")}), done.stderr
