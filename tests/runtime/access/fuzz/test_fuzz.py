"""Requests by the thousand that nobody wrote: none meets an error of ours.

Without a token there is no route at all. With one, MLflow fails at some requests of itself: the
places in it, each with a request that leads there, stand in mlflow_fails.jsonl. It may only shrink:
what is there must still fail, and MLflow is to be told of it.
"""

import http.client
import json
import os
import re
import secrets
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings

from tests.runtime.access.fuzz.requests import Asked, Known, requests
from tests.runtime.serving import Serving, serving

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

# Each is a request to a real server: some forty a second.
_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3000"))
_FAILS = Path(__file__).with_name("mlflow_fails.jsonl")
_FRAME = re.compile(r'File "[^"]*?/(mlflow|runtime)/([\w./-]+)", line \d+, in (\S+)')
_ERROR = re.compile(
    r"^\s*([A-Za-z_][\w.]*(?:Error|Exception|Required|Exit|Warning))\b", re.MULTILINE
)


@dataclass(frozen=True)
class Outcome:
    """The status, 0 where there was no answer, and what the server logged meanwhile."""

    status: int
    log: str

    @property
    def has_traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.log

    def where(self, template: str) -> str:
        """The innermost place of MLflow or of ours in the traceback; without one, the route."""
        frames, errors = _FRAME.findall(self.log), _ERROR.findall(self.log)
        if not self.has_traceback or not frames:
            return f"{self.status} {re.sub('^/ajax-api/', '/api/', template)}"
        package, path, function = frames[-1]
        return f"{package}/{path} {function} {errors[-1] if errors else ''}".strip()


class Fuzzing:
    """A server with something of everything, asked on one connection."""

    def __init__(self, server: Serving, known: Known) -> None:
        self.server, self.known = server, known
        address = urlsplit(server.uri)
        self._link = http.client.HTTPConnection(address.netloc, timeout=60)
        self._log = (server.data_dir / "server.log").open(errors="replace")

    def ask(self, asked: Asked, token: str | None) -> Outcome:
        headers = {"content-type": asked.content_type, "accept": "*/*"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self._log.read()
        status = self._send(asked, headers)
        log = self._log.read()
        end = time.monotonic() + 2
        while status == 500 and "Traceback" not in log and time.monotonic() < end:
            # What went wrong is told after the answer, if at all.
            time.sleep(0.1)
            log += self._log.read()
        return Outcome(status, log)

    def _send(self, asked: Asked, headers: Mapping[str, str]) -> int:
        # A server closes a connection after an error: what is sent on it next is not answered.
        for _attempt in range(2):
            try:
                body = asked.body.encode(errors="surrogatepass")
                self._link.request(asked.method, asked.path, body, headers)
                answer = self._link.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                self._link.close()
            else:
                return answer.status
        return 0


@pytest.fixture(scope="module")
def fuzzing(tmp_path_factory: pytest.TempPathFactory) -> Generator[Fuzzing]:
    import mlflow

    folder = tmp_path_factory.mktemp("fuzz")
    # What an administrator may have the server write goes to its home.
    with serving(folder, MLFLOW_WORKERS="1", HOME=str(folder)) as server:
        with pytest.MonkeyPatch.context() as patch:
            client = server.client(patch)
            experiment = client.create_experiment("fuzzed")
            runs = [client.create_run(experiment).info.run_id for _ in range(3)]
            client.log_text(runs[0], "words", "note.txt")
            client.log_metric(runs[0], "loss", 1.0)
            client.log_param(runs[0], "lr", 1.0)
            client.create_registered_model("a")
            client.create_model_version("a", f"runs:/{runs[0]}/m", run_id=runs[0])
            client.set_registered_model_alias("a", "champion", "1")
            model = client.create_logged_model(experiment, "m", source_run_id=runs[1]).model_id
            trace = client.start_trace("t", experiment_id=experiment)
            client.end_trace(trace.trace_id)
            mlflow.flush_trace_async_logging()
        known = {
            "experiment_id": ["0", experiment],
            "run_id": runs,
            "run_uuid": runs,
            "name": ["a", "fuzzed", "Default"],
            "version": ["1"],
            "alia": ["champion"],
            "key": ["loss", "lr", "k"],
            "path": ["note.txt", "", "."],
            "model_id": [model],
            "trace_id": [trace.trace_id],
            "request_id": [trace.trace_id],
        }
        yield Fuzzing(server, Known(known))


def mlflows() -> dict[str, Asked]:
    """Where MLflow fails of itself, and a request that leads there."""
    entries = [json.loads(line) for line in _FAILS.read_text().splitlines()]
    found = {str(entry.pop("where")): Asked(**entry) for entry in entries}
    assert len(found) == len(entries), "a place stands there twice"
    return found


def _token(server: Serving, role: str) -> str:
    name = f"fuzz-{role}-{secrets.token_hex(4)}"
    token = server.run("token", "add", name, "--role", role).stdout.strip()
    server.wait_until(token, 200)
    return token


def test_what_is_known_of_mlflow_fails_still(fuzzing: Fuzzing) -> None:
    """Else it leaves the list. First, while the store is whole."""
    token, [trace] = _token(fuzzing.server, "admin"), fuzzing.known.values["trace_id"]
    now = {
        where: fuzzing.ask(replace(asked, path=asked.path.replace("TRACE", trace)), token)
        for where, asked in mlflows().items()
    }
    gone = {
        where: outcome.status
        for where, outcome in now.items()
        if outcome.status != 500 or outcome.where(mlflows()[where].template) != where
    }
    assert gone == {}


@pytest.mark.parametrize("role", [None, "read", "write", "admin"])
def test_no_request_meets_an_error_of_ours(fuzzing: Fuzzing, role: str | None) -> None:
    token = _token(fuzzing.server, role) if role else None
    known = mlflows()
    found: dict[str, str] = {}
    count = 0

    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(requests(fuzzing.known))
    def ask(asked: Asked) -> None:
        nonlocal count
        outcome, count = fuzzing.ask(asked, token), count + 1
        where = outcome.where(asked.template)
        if token is None:
            is_open = asked.template == "/health"
            is_fine = is_open or outcome.status in (401, 403, 404, 405)
        else:
            is_fine = outcome.status not in (0, 500) or where in known
        if is_fine and not ("runtime/" in where or (token is None and outcome.has_traceback)):
            return
        shortest = found.get(where)
        if shortest is None or len(asked.line(where)) < len(shortest):
            found[where] = asked.line(where)

    ask()
    print(f"{count} requests as {role or 'nobody'}", *sorted(found.values()), sep="\n")
    assert sorted(found.values()) == []
