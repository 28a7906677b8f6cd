"""Steady requests to a stack's server, none of which an update may fail."""

import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from infra.rehearsal.sandbox import Sandbox
from infra.rehearsal.system.waiting import wait_for

_SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
_FEW = 5


@contextmanager
def traffic(sandbox: Sandbox) -> Generator[list[str]]:
    """Send requests until shortly after the context ends; yields their results so far: a status, or
    why there is none."""
    answers: list[str] = []
    stopped = threading.Event()

    def keep_sending() -> None:
        with sandbox.client() as environment:
            send = _sender(environment)
            while not stopped.wait(0.1):
                answers.append(send())

    thread = threading.Thread(target=keep_sending)
    thread.start()
    try:
        wait_for(lambda: len(answers) > _FEW, "first answers", 60)
        yield answers
        asked = len(answers)
        wait_for(lambda: len(answers) > asked + _FEW, "last answers", 60)
    finally:
        stopped.set()
        thread.join()


def _sender(environment: Mapping[str, str]) -> Callable[[], str]:
    """What sends one request on a connection of its own; it returns the result.

    It waits as long as MLflow's client does (``MLFLOW_HTTP_REQUEST_TIMEOUT``: 120 s) and, as that
    does, retries where a connection breaks, but not where the server answers with an error.
    """
    url = f"{environment['MLFLOW_TRACKING_URI']}{_SEARCH}"
    token = environment["MLFLOW_TRACKING_TOKEN"]
    context = ssl.create_default_context(cafile=environment["REQUESTS_CA_BUNDLE"])
    if own := environment.get("MLFLOW_TRACKING_SERVER_CERT_PATH"):
        context.load_verify_locations(own)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": environment["HTTPS_PROXY"]}),
        urllib.request.HTTPSHandler(context=context),
    )

    def send(again: bool = True) -> str:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        try:
            with opener.open(request, timeout=120) as answer:
                return str(answer.status)
        except urllib.error.HTTPError as error:
            return str(error.code)
        except OSError as error:
            return send(again=False) if again else repr(error)

    return send
