"""Two servers to promote between, and a model to promote."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.background import in_background
from tests.runtime.serving import Serving

MODEL = """
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
class Times(PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * {factor}
set_model(Times())
"""


@dataclass(frozen=True)
class Servers:
    """Two servers, and the environment in which one promotes to the other."""

    staging: Serving
    prod: Serving

    def promote(self, *arguments: str, across: bool = True, **environment: str) -> Any:
        """`trackstack promote model`; returns the finished process."""
        target = ["--to-uri", self.prod.uri] if across else []
        return self.staging.run(
            "promote", "model", *arguments, *target, **self.secrets(), **environment
        )

    def secrets(self) -> dict[str, str]:
        return {"TRACKSTACK_TARGET_TOKEN_FILE": str(self.prod.data_dir / "token")}


def register(
    server: Serving, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, factor: int
) -> Any:
    """Log a model with a metric, a signature and an input example, and register it."""
    import mlflow
    import pandas

    client = server.client(monkeypatch)
    code = folder / f"{name}-{factor}.py"
    code.write_text(MODEL.format(factor=factor))
    pyfunc: Any = mlflow.pyfunc
    with mlflow.start_run():
        mlflow.log_metric("auc", 0.8)
        pyfunc.log_model(
            name="model",
            python_model=str(code),
            input_example=pandas.DataFrame({"x": [1.0, 2.0]}),
            # Else the client looks for them by loading the model elsewhere, which takes seconds.
            pip_requirements=[],
            registered_model_name=name,
        )
    return client.search_model_versions(f"name = '{name}'")[0]


@contextmanager
def stalling(server: Serving, after: int) -> Generator[tuple[str, threading.Event]]:
    """A way to the server on which nothing goes up any more ``after`` so many bytes."""
    host, port = server.uri.removeprefix("http://").split(":")
    passed, stalled, ended = [0], threading.Event(), threading.Event()

    class Way(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, int(port))) as server_side:
                back = threading.Thread(target=self.answer, args=(server_side,), daemon=True)
                back.start()
                try:
                    self.pass_on(server_side)
                finally:
                    # Closed alone it would stay open as long as the other thread reads, and the
                    # server would wait at its end for what is missing.
                    with contextlib.suppress(OSError):
                        server_side.shutdown(socket.SHUT_RDWR)

        def pass_on(self, server_side: socket.socket) -> None:
            while block := self.request.recv(1 << 16):
                passed[0] += len(block)
                if passed[0] > after:
                    stalled.set()
                    ended.wait()
                    return
                server_side.sendall(block)

        def answer(self, server_side: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while block := server_side.recv(1 << 16):
                    self.request.sendall(block)

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        # A killed client's connections end anyhow.
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            return

    listener = Listener(("127.0.0.1", 0), Way)
    with in_background(listener):
        try:
            yield f"http://127.0.0.1:{listener.server_address[1]}", stalled
        finally:
            ended.set()
