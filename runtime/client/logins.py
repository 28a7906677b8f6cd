"""The tokens of a user, by server, in a file that they alone can read."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runtime.client import server, variables
from runtime.errors import UserError

_PORTS = {"http": 80, "https": 443}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Login:
    """A token for one server."""

    url: str
    token: str
    id: str
    owner: str
    role: str
    expires: str | None = None
    authority: str | None = None
    """The file of the authority that its certificate is checked by; None for the system's."""

    def ask(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        """`server.ask` of its server, with its token."""
        return server.ask(self.url, method, path, token=self.token, authority=self.authority)


def normal(url: str) -> str:
    """One spelling of a server's address, without a last slash.

    Raises UserError for what is none, and for plain HTTP to another machine, which would tell the
    token to everybody on the way.
    """
    try:
        parts = urlsplit(url.strip())
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
        parts = urlsplit("")
    if scheme not in _PORTS or not host or parts.username or parts.query or parts.fragment:
        raise UserError(f"{url}: is no address such as https://mlflow.example.com", 2)
    if scheme == "http" and host not in _LOOPBACK:
        raise UserError(f"{url}: a token goes by https:// alone, or to this machine itself", 2)
    shown = f"[{host}]" if ":" in host else host
    rest = "" if port in (None, _PORTS[scheme]) else f":{port}"
    return f"{scheme}://{shown}{rest}{parts.path.rstrip('/')}"


class Logins:
    """The file; each change replaces it whole."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or variables.logins_file()

    def all(self) -> dict[str, Login]:
        """By address, the one signed in to last at the end."""
        try:
            with self._path.open() as file:
                if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                    raise UserError(f"others can read {self._path}: chmod 600 {self._path}", 2)
                found: Any = json.load(file)
            return {url: Login(url=url, **entry) for url, entry in found["servers"].items()}
        except FileNotFoundError:
            return {}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise UserError(f"{self._path} cannot be read: remove it and sign in anew", 2) from None

    def of(self, url: str | None) -> Login:
        """That of a server; without one, of the tracking URI, or the last one signed in to.

        Raises UserError where there is none.
        """
        found, wanted = self.all(), url or variables.tracking_uri()
        if wanted is None:
            if not found:
                raise UserError("signed in nowhere; do it by: trackstack login URL", 2)
            return list(found.values())[-1]
        login = found.get(normal(wanted))
        if login is None:
            raise UserError(f"not signed in to {wanted}: trackstack login {wanted}", 2)
        return login

    def given(self, url: str | None) -> Login:
        """As `of`; where the environment has a token, that one, for its own tracking URI."""
        named, token = variables.tracking_uri(), variables.token()
        if named and token and (url is None or normal(url) == normal(named)):
            return Login(normal(named), token, "", "", "", None, variables.authority())
        return self.of(url)

    def for_request(self, url: str) -> Login | None:
        """The login that a request to ``url`` may carry: its server's alone, or None."""
        try:
            parts = urlsplit(url)
            asked = normal(f"{parts.scheme}://{parts.netloc}{parts.path}")
        except (UserError, ValueError):
            return None
        fitting = [
            login
            for address, login in self.all().items()
            if asked == address or asked.startswith(f"{address}/")
        ]
        return max(fitting, key=lambda login: len(login.url), default=None)

    def keep(self, login: Login) -> None:
        """Add a login, in the place of the one for the same server."""
        found = self.all()
        found.pop(login.url, None)
        self._write({**found, login.url: login})

    def drop(self, url: str) -> None:
        """Forget a server's."""
        self._write({address: login for address, login in self.all().items() if address != url})

    def _write(self, logins: dict[str, Login]) -> None:
        servers = {url: asdict(replace(login, url="")) for url, login in logins.items()}
        for entry in servers.values():
            del entry["url"]
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump({"servers": servers}, file, indent=1)
            beside.replace(self._path)
        finally:
            beside.unlink(missing_ok=True)
