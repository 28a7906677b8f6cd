"""Steady requests to a stack's server: none of them fails in an update, or it is told how long they
do.
"""

import http.client
import itertools
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager

from infra.rehearsal.sandbox import Sandbox
from infra.rehearsal.system.waiting import wait_for

_SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
_FEW = 5
_SHORT_SECONDS = 5


@contextmanager
def traffic(sandbox: Sandbox) -> Generator[list[str]]:
    """Send requests until shortly after the context ends; yields their results so far: a status, or
    why there is none."""
    answers: list[str] = []
    with _sending(sandbox, answers.append):
        wait_for(lambda: len(answers) > _FEW, "first answers", 60)
        yield answers
        asked = len(answers)
        wait_for(lambda: len(answers) > asked + _FEW, "last answers", 60)


@contextmanager
def served(sandbox: Sandbox) -> Generator[list[float]]:
    """Send requests until one is answered after the context ends; yields the times of those that
    were answered well. None waits long, nor is tried again.
    """
    times: list[float] = []

    def note(answer: str) -> None:
        if answer == "200":
            times.append(time.monotonic())

    with _sending(sandbox, note, seconds=_SHORT_SECONDS, again=False):
        wait_for(lambda: len(times) > _FEW, "first answers", 60)
        yield times
        answered = len(times)
        wait_for(lambda: len(times) > answered + _FEW, "last answers", 240)


def longest_away(times: Iterable[float]) -> float:
    """The longest time between two answers, in seconds. Pure."""
    return max(after - before for before, after in itertools.pairwise(times))


@contextmanager
def _sending(
    sandbox: Sandbox, note: Callable[[str], None], *, seconds: float = 120, again: bool = True
) -> Generator[None]:
    """Send requests, and tell ``note`` of each result."""
    stopped = threading.Event()

    def keep_sending() -> None:
        with sandbox.client() as environment:
            send = _sender(environment, seconds)
            while not stopped.wait(0.1):
                note(send(again))

    thread = threading.Thread(target=keep_sending)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _sender(environment: Mapping[str, str], seconds: float) -> Callable[[bool], str]:
    """What sends one request on a connection of its own; it returns the result.

    By default it waits as long as MLflow's client does (``MLFLOW_HTTP_REQUEST_TIMEOUT``: 120 s)
    and, as that does, tries ``again`` where a connection breaks, but not where the server answers
    with an error.
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

    def send(again: bool) -> str:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        try:
            with opener.open(request, timeout=seconds) as answer:
                return str(answer.status)
        except urllib.error.HTTPError as error:
            return str(error.code)
        except (OSError, http.client.HTTPException) as error:
            return send(again=False) if again else repr(error)

    return send
