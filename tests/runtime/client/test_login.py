"""`trackstack login` and its kin, as a user types them, on a real access check over HTTP."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from runtime.tokens.store import Role
from tests import warm
from tests.runtime.access.people.site import (
    PEOPLE,
    STACK,
    TOKENS,
    Headers,
    Site,
    bearer,
    made,
    served,
)
from tests.runtime.serving import request
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow

# A browser: opens the page as somebody who is signed in, consents, and follows where it leads.
_BROWSER = """
import json, os, re, sys, urllib.parse, urllib.request
def ask(url, body=None):
    headers = json.loads(os.environ["SESSION"]) if "/trackstack/" in url else {}
    return urllib.request.urlopen(urllib.request.Request(url, body, headers)).read().decode()
page = ask(sys.argv[1])
fields = dict(re.findall(r'name="(\\w+)" value="([^"]*)"', page))
done = ask(sys.argv[1].split("?")[0], urllib.parse.urlencode(fields).encode())
ask(re.findall(r'url=([^"]+)"', done)[0].replace("&amp;", "&"))
"""


class Laptop:
    """A user's own machine: the command, and what it keeps."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder, self.uri = folder, uri
        self.environment = {"PATH": os.environ["PATH"], "XDG_CONFIG_HOME": str(folder)}

    def run(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return warm.run(
            [TRACKSTACK, *words],
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return made(tmp_path / "store")


@pytest.fixture
def laptop(site: Site, tmp_path: Path) -> Generator[Laptop]:
    with served(site) as uri:
        yield Laptop(tmp_path / "laptop", uri)


def _typed(laptop: Laptop, session: Headers, *words: str) -> "subprocess.CompletedProcess[str]":
    """Signs in with a browser elsewhere: consents there, and types the code here."""
    command = [TRACKSTACK, "login", "--code", *words, laptop.uri]
    with warm.Popen(
        command,
        env=laptop.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        said: Iterator[str] = iter(process.stderr)
        page = next(line for line in said if "/trackstack/login?" in line).strip()
        parts = urlsplit(page)
        form = urlencode(parse_qsl(parts.query)).encode()
        done = request(laptop.uri + parts.path, "POST", headers=session, body=form)
        [code] = re.findall(r'class="code">([^<]+)<', done.body.decode())
        out, error = process.communicate(f"{code}\n", timeout=30)
    return subprocess.CompletedProcess(command, process.returncode, out, error)


def test_sign_in_by_a_code_then_out_again(laptop: Laptop, site: Site) -> None:
    done = _typed(laptop, site.signed_in("ada", Role.WRITE))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"signed in to {laptop.uri} as ada, write, until ")
    file = laptop.folder / "trackstack" / "logins.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = json.loads(file.read_text())["servers"][laptop.uri]["token"]
    assert token not in done.stdout + done.stderr
    assert laptop.run("whoami").stdout.startswith(f"{laptop.uri}: ada, write, until ")
    how = laptop.run("status")
    assert (how.returncode, how.stdout.startswith(laptop.uri)) == (1, True), how.stderr
    assert "BAD the store has schema none" in how.stdout
    env = laptop.run("env").stdout
    assert f"export MLFLOW_TRACKING_URI={laptop.uri}\n" in env
    assert "export MLFLOW_TRACKING_AUTH=trackstack\n" in env
    assert token not in env
    assert laptop.run("logout").stdout == f"signed out of {laptop.uri}\n"
    assert json.loads(file.read_text()) == {"servers": {}}
    assert request(laptop.uri + TOKENS, "GET", token).status == 401
    gone = laptop.run("whoami")
    assert (gone.returncode, "trackstack login URL" in gone.stderr) == (2, True)


def test_sign_in_by_the_browser_of_this_machine(laptop: Laptop, site: Site) -> None:
    script = laptop.folder / "browser.py"
    laptop.folder.mkdir()
    script.write_text(_BROWSER)
    session = site.signed_in("ada", Role.READ)
    done = laptop.run(
        *("login", laptop.uri),
        BROWSER=f"{sys.executable} {script} %s",
        SESSION=json.dumps(session),
    )
    assert done.returncode == 0, done.stderr
    assert f"signed in to {laptop.uri} as ada, read" in done.stdout


def test_mlflow_s_own_client_sends_the_token_of_the_server_that_it_asks(
    laptop: Laptop, site: Site
) -> None:
    assert _typed(laptop, site.signed_in("ada", Role.WRITE)).returncode == 0
    code = (
        "from mlflow.utils.rest_utils import http_request\n"
        "from mlflow.utils.credentials import get_default_host_creds as creds\n"
        f"uri = {laptop.uri!r}\n"
        f"print(http_request(creds(uri), {TOKENS!r}, 'GET').json()['tokens'][0]['owner'])\n"
    )
    given = {**laptop.environment, "MLFLOW_TRACKING_AUTH": "trackstack"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=given, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "ada\n", done.stderr[-500:]


def test_who_is_removed_is_told_to_sign_in_anew(laptop: Laptop, site: Site) -> None:
    assert _typed(laptop, site.signed_in("ada", Role.WRITE)).returncode == 0
    assert request(f"{laptop.uri}{PEOPLE}?name=ada", "DELETE", STACK).status == 200
    done = laptop.run("whoami")
    assert (done.returncode, f"trackstack login {laptop.uri}" in done.stderr) == (1, True)
    assert site.api("GET", PEOPLE, bearer(STACK))[0] == 200


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("login", "mlflow"), "is no address such as"),
        (("login", "http://mlflow.example.com"), "https:// alone"),
        (("whoami", "http://127.0.0.1:9"), "trackstack login http://127.0.0.1:9"),
        (("env",), "signed in nowhere"),
    ],
)
def test_mistakes_are_one_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = Laptop(tmp_path, "").run(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_of_a_laptop_imports_nothing_that_it_does_not_have() -> None:
    heavy = ["mlflow", "pydantic", "sqlalchemy", "requests", "starlette", "cryptography", "infra"]
    code = (
        "import sys\n"
        "from runtime.client import env, login, logout, whoami, request_auth\n"
        "import runtime.cli\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
