"""A real OpenID Connect issuer on loopback, by the npm package oidc-provider."""

import re
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

import requests

from infra.rehearsal.system.packages import install_npm
from infra.rehearsal.system.ports import find_free_port

_SOURCE = Path(__file__).parents[1] / "issuer"
CLIENT_ID = "trackstack-tests"
Offline = Literal["", "given", "refused"]


@contextmanager
def issuing(home: str, *, offline: Offline = "") -> Generator[str]:
    """Serve the issuer for the server at ``home``; gives its address.

    With ``offline`` it has refresh tokens, each of which is good once, for whom it gives them.
    """
    folder, port = install_npm(_SOURCE), find_free_port()
    shutil.copy(_SOURCE / "issuer.mjs", folder)
    back = f"{home}/trackstack/oidc/end"
    command = ["node", "issuer.mjs", str(port), CLIENT_ID, back, f"{home}/"]
    command += [offline] if offline else []
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert any(line.strip() == "ready" for line in process.stdout), "the issuer has ended"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def change(issuer: str, name: str, *groups: str) -> None:
    """Give a person at the issuer these groups alone; without any they are gone from it."""
    wanted = urlencode({"name": name, "groups": ",".join(groups)})
    requests.post(f"{issuer}/people?{wanted}", timeout=20).raise_for_status()


def signed_in(home: str, name: str) -> dict[str, str]:
    """The headers of a browser in which a person signed in to the server at ``home``.

    Raises LookupError where the server does not let them in.
    """
    return signed_in_for(home, name, "/")[0]


def signed_in_for(home: str, name: str, target: str, more: str = "") -> tuple[dict[str, str], str]:
    """As `signed_in`, by a link to ``target``; also the address at which the browser ended.

    ``more`` is added to the query with which the sign-in begins.
    """
    with requests.Session() as browser:
        begin = f"{home}/trackstack/oidc/begin?next={quote(target, safe='')}{more}"
        page = browser.get(begin, timeout=20)
        while action := re.search(r'action="([^"]+/interaction/[^"]+)"', page.text):
            asked = re.search(r'name="prompt" value="(\w+)"', page.text)
            assert asked
            form = {"prompt": asked[1], "login": name, "password": "any"}
            page = browser.post(action[1], data=form, timeout=20)
        for cookie in browser.cookies:
            if cookie.name.startswith("trackstack_session"):
                value = f"{cookie.name}={cookie.value}"
                return {"cookie": value, "sec-fetch-site": "same-origin"}, page.url
    raise LookupError(page.text)
