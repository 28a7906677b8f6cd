"""supervisord: starts the stack's processes, restarts them when they die, rotates their logs.

Its control socket lies in the data directory, for the owner alone; nothing listens on a port.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import Fault, ServerProxy

import psutil
from pulumi import ResourceOptions
from pulumi.dynamic import Resource
from supervisor.xmlrpc import Faults, SupervisorTransport

from infra.clouds.shared.dynamic import DynamicProvider, Props
from infra.clouds.shared.generated import write_private
from runtime.process import trackstack

# A process that ends sooner has not started: a server needs some seconds to find out.
_START_SECONDS = 15
_STOP_SECONDS = 30
_LINES = 20
_MODULE = "supervisor.supervisord"
_CONFIGURATION = "/supervisord.conf"

_SUPERVISORD = """\
[unix_http_server]
file={data_dir}/sock
chmod=0600

[supervisord]
directory={data_dir}
pidfile={data_dir}/supervisord.pid
logfile={data_dir}/logs/supervisord.log
logfile_maxbytes=1MB
logfile_backups=2
umask=077

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{data_dir}/sock

[include]
files=programs/*.ini
"""

_PROGRAM = """\
[program:{name}]
command={command}
environment={environment}
autorestart=true
startsecs={start_seconds}
startretries=1000
stopwaitsecs={stop_seconds}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={data_dir}/logs/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=5
"""

# A supervised process must not inherit the engine's environment, which holds its passphrase.
_INHERITED = [
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
]


def base_environment() -> dict[str, str]:
    """What every process of the stack inherits."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def running_pid(data_dir: str) -> int | None:
    """The supervisor's process id, where it runs: by its file, or where that is gone by looking."""
    try:
        pid = int((Path(data_dir) / "supervisord.pid").read_text())
        if directory_of(psutil.Process(pid)) == data_dir:
            return pid
    except (OSError, ValueError, psutil.Error):
        pass
    return next((p.pid for p in psutil.process_iter() if directory_of(p) == data_dir), None)


def directory_of(process: psutil.Process) -> str | None:
    """The data directory that a process supervises; None of any other process."""
    try:
        command = process.cmdline()
    except psutil.Error:
        return None
    if _MODULE not in command or not command[-1].endswith(_CONFIGURATION):
        return None
    return command[-1].removesuffix(_CONFIGURATION)


@contextmanager
def _control(data_dir: str) -> Generator[Any]:
    transport = SupervisorTransport(None, None, f"unix://{data_dir}/sock")
    proxy = ServerProxy("http://127.0.0.1", transport=cast(Any, transport))
    try:
        yield cast(Any, proxy).supervisor
    finally:
        transport.close()


def _wait_until_gone(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(timeout=_STOP_SECONDS + 15)


def start(data_dir: str) -> None:
    """Start the supervisor unless it runs, and wait until it answers."""
    if running_pid(data_dir):
        return
    configuration = Path(data_dir) / "supervisord.conf"
    write_private(configuration, _SUPERVISORD.format(data_dir=data_dir.replace("%", "%%")))
    subprocess.run(
        [sys.executable, "-m", _MODULE, "-c", str(configuration)],
        env=base_environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        close_fds=True,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with _control(data_dir) as control:
                control.getState()
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"supervisord does not answer; see {data_dir}/logs/supervisord.log")


def stop(data_dir: str) -> None:
    """Stop the supervisor and all that it runs, and wait until they are gone."""
    pid = running_pid(data_dir)
    if pid:
        # To supervisord it means what its command `shutdown` does, and needs no socket.
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).terminate()
        _wait_until_gone(pid)


def _quoted(environment: Mapping[str, str]) -> str:
    # supervisord expands % and reads quoted values as a shell would.
    return ",".join(
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%"))
        for name, value in sorted(environment.items())
    )


def set_program(
    data_dir: str, name: str, environment: Mapping[str, str], command: Sequence[str]
) -> None:
    """Run ``trackstack`` with these arguments, in place of the program of this name."""
    text = _PROGRAM.format(
        name=name,
        command=shlex.join((trackstack(), *command)).replace("%", "%%"),
        environment=_quoted(environment),
        data_dir=data_dir.replace("%", "%%"),
        start_seconds=_START_SECONDS,
        stop_seconds=_STOP_SECONDS,
    )
    write_private(Path(data_dir) / "programs" / f"{name}.ini", text)
    with _control(data_dir) as control:
        _remove_group(control, name)
        control.reloadConfig()
        control.addProcessGroup(name)


def remove_program(data_dir: str, name: str) -> None:
    """Stop the program and forget it."""
    (Path(data_dir) / "programs" / f"{name}.ini").unlink(missing_ok=True)
    if running_pid(data_dir):
        with _control(data_dir) as control:
            _remove_group(control, name)
            control.reloadConfig()


def _remove_group(control: Any, name: str) -> None:
    try:
        control.stopProcessGroup(name)
        control.removeProcessGroup(name)
    except Fault as fault:
        if fault.faultCode != Faults.BAD_NAME:
            raise


def last_lines(data_dir: str, name: str) -> str:
    """What a program said last."""
    log = Path(data_dir) / "logs" / f"{name}.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LINES:])


def program_state(data_dir: str, name: str) -> str:
    """supervisord's name for the program's state, such as RUNNING or BACKOFF; else ABSENT."""
    if not running_pid(data_dir):
        return "ABSENT"
    try:
        with _control(data_dir) as control:
            return str(control.getProcessInfo(name)["statename"])
    except (Fault, OSError):
        return "ABSENT"


class _SupervisorProvider(DynamicProvider):
    def apply(self, props: Props) -> Props:
        start(props["data_dir"])
        return {}

    def remove(self, props: Props) -> None:
        stop(props["data_dir"])

    def drifted(self, props: Props) -> bool:
        return running_pid(props["data_dir"]) is None


class Supervisor(Resource, module="trackstack", name="LocalSupervisor"):
    """Input: ``data_dir``."""

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(_SupervisorProvider(), name, props, opts)
