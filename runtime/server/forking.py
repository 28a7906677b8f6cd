"""The server's processes: gunicorn's master loads the application once and forks the workers."""

import gc
import os
import shlex
import sys
import warnings
from collections.abc import Mapping
from typing import Any, cast

from gunicorn.app.base import BaseApplication
from uvicorn_worker import UvicornWorker

from runtime import metrics
from runtime.errors import UserError
from runtime.health import SIGN_OF_LIFE
from runtime.process import die_with_parent
from runtime.server import logs
from runtime.server.proxied import behind
from runtime.server.timeouts import PatientProtocol
from runtime.settings import RuntimeSettings

# Seconds without a sign of life from a worker's event loop, and to finish what was begun.
_HANGING, _GRACE = 300, 25


class _Worker(UvicornWorker):
    CONFIG_KWARGS = {  # noqa: RUF012
        **UvicornWorker.CONFIG_KWARGS,
        "http": PatientProtocol,
        # See `proxied`.
        "proxy_headers": False,
        "server_header": False,
    }

    async def callback_notify(self) -> None:
        """Called by the event loop, every _HANGING / 2 seconds as long as it runs."""
        await super().callback_notify()
        cast("Application", cast(Any, self).app).show_life()


class Application(BaseApplication):
    """The access check with MLflow behind it, in gunicorn's processes."""

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        proxies: str = "",
        as_json: bool = False,
        heartbeat: bool = False,
    ) -> None:
        """``proxies`` say who asks (see `proxied`); ``as_json`` says how the log is written;
        ``heartbeat`` whether it has a sign of life of each worker.
        """
        self._options, self._proxies, self._as_json = options, proxies, as_json
        self._heartbeat = heartbeat
        super().__init__()

    def show_life(self) -> None:
        """Whatever the log's level: what counts these lines takes their absence for the end."""
        if self._heartbeat:
            print(SIGN_OF_LIFE, file=sys.stderr, flush=True)

    def load_config(self) -> None:
        for name, value in self._options.items():
            cast(Any, self).cfg.set(name, value)

    def load(self) -> Any:
        # Of what MLflow stands on, which is MLflow's to mend and nothing that who reads this log
        # could do anything about.
        warnings.filterwarnings("ignore", message=r"starlette\.middleware\.wsgi is deprecated")
        from runtime.access import create_app

        app = behind(create_app(), self._proxies)
        if self._as_json:
            # All loggers are there now.
            logs.use_json()
        return app


def _before_forking(_arbiter: Any) -> None:
    # What is loaded by now is never collected: workers would copy every page that they touch.
    gc.collect()
    gc.freeze()


def _after_forking(_arbiter: Any, _worker: Any) -> None:
    die_with_parent()


def _at_end(_arbiter: Any) -> None:
    metrics.SharedDirectory.remove()


def options(settings: RuntimeSettings) -> dict[str, Any]:
    """Gunicorn's settings; raises UserError where MLFLOW_GUNICORN_OPTS cannot be read."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": f"{host}:{settings.port}",
        "workers": settings.workers,
        "worker_class": _Worker,
        "preload_app": True,
        "when_ready": _before_forking,
        "post_fork": _after_forking,
        "on_exit": _at_end,
        "timeout": _HANGING,
        "graceful_timeout": _GRACE,
        "keepalive": 65,
        "loglevel": settings.log_level or log_level(settings.gunicorn_opts),
        "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108, PTH112
        "control_socket_disable": True,
        "proc_name": "trackstack",
        **({"certfile": str(settings.tls_cert_file)} if settings.tls_cert_file else {}),
        **({"keyfile": str(settings.tls_key_file)} if settings.tls_key_file else {}),
    }


def log_level(gunicorn_opts: str | None) -> str:
    """The log level in MLFLOW_GUNICORN_OPTS, the one of its options that still has a meaning.

    Raises UserError where a quote is not closed.
    """
    try:
        words = shlex.split(gunicorn_opts or "")
    except ValueError as error:
        raise UserError(
            f"MLFLOW_GUNICORN_OPTS cannot be read ({error}): unset it, and set the log level by "
            "TRACKSTACK_LOG_LEVEL",
            2,
        ) from None
    for index, word in enumerate(words):
        name, _, value = word.partition("=")
        if name in ("--log-level", "--loglevel"):
            return value or "".join(words[index + 1 : index + 2]) or "info"
    return "info"
