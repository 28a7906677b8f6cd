"""A server's access check with people who are signed in, driven by hand."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn
from starlette.types import ASGIApp

from infra.rehearsal.system.ports import find_free_port
from infra.rehearsal.system.waiting import wait_for
from runtime.access.credentials import Sessions
from runtime.access.layered import layered
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories
from runtime.settings import load
from runtime.tokens.people import People
from runtime.tokens.store import Role, TokenTable
from tests.runtime.access.layers.driving import Driven, Inner, drive, http

TOKENS, PEOPLE = "/trackstack/api/tokens", "/trackstack/api/people"
ACCOUNT = "/trackstack/account"
STACK = "the-stack-s-own"
SEARCH = "/api/2.0/mlflow/experiments/search"
Headers = dict[str, str]


@dataclass
class Site:
    app: ASGIApp
    people: People
    shared: TokenTable
    folder: Path
    sessions: Sessions = field(default_factory=lambda: Sessions(STACK))

    def signed_in(self, name: str, role: Role) -> Headers:
        """The headers of somebody's browser after they signed in by the issuer."""
        assert self.people.sign_in(name, role)
        cookie = self.sessions.issue_person(name, role, secure=False).split(";")[0]
        return {"cookie": cookie, "sec-fetch-site": "same-origin"}

    def ask(
        self,
        method: str,
        path: str,
        headers: Headers,
        body: bytes = b"",
        address: str = "192.0.2.1",
    ) -> Driven:
        path, _, query = path.partition("?")
        scope = http(method, path, *headers.items(), client=(address, 4711))
        return drive(self.app, {**scope, "query_string": query.encode()}, body)

    def api(
        self, method: str, path: str, headers: Headers, **wanted: Any
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON body."""
        done = self.ask(method, path, headers, json.dumps(wanted).encode())
        return done.status, json.loads(done.body)

    def form(self, path: str, headers: Headers, **fields: str) -> Driven:
        return self.ask("POST", path, headers, urlencode(fields).encode())

    def works(self, token: str) -> bool:
        return self.ask("POST", SEARCH, bearer(token)).status == 200


def bearer(token: str) -> Headers:
    return {"authorization": f"Bearer {token}"}


@contextmanager
def served(
    site: Site,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    port: int | None = None,
) -> Generator[str]:
    """The same over HTTP, with a certificate over TLS, on loopback; gives its address."""
    port, scheme = port or find_free_port(), "https" if certificate else "http"
    config = uvicorn.Config(
        site.app,
        port=port,
        lifespan="off",
        log_level="critical",
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, "the server", 20)
    try:
        yield f"{scheme}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def made(folder: Path, **variables: str) -> Site:
    settings = load(
        {
            "TRACKSTACK_DATA_DIR": str(folder),
            "TRACKSTACK_AUDIT_LOG": str(folder / "audit.jsonl"),
            "MLFLOW_TRACKING_TOKEN": STACK,
            "TRACKSTACK_JOB_TOKEN": "the-jobs-own",
            **variables,
        }
    )
    make_directories(settings)
    engine = open_engine(settings)
    return Site(layered(Inner(), settings), People(engine), TokenTable(engine), folder)
