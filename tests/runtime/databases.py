"""Real PostgreSQL and MariaDB servers on loopback, each with a data directory of its own.

One of a kind stands as long as this process, and whoever asks gets a database in it.
"""

import atexit
import functools
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infra.rehearsal.system.packages import ensure_debian, install_debian
from infra.rehearsal.system.ports import find_free_port
from infra.rehearsal.system.waiting import wait_for
from runtime.process import die_with_parent

_USER = "mlflow"
_standing = ExitStack()
atexit.register(_standing.close)


class Server(Protocol):
    """A running database server."""

    def new_database(self) -> str:
        """SQLAlchemy URI, with its password, of an empty database."""
        ...

    def new_name(self) -> str:
        """A name that no database of this server has yet."""
        return f"mlflow_{secrets.token_hex(4)}"


@dataclass(frozen=True)
class PostgreSql(Server):
    """``scheme`` is the driver's."""

    port: int
    password: str
    bin: Path
    scheme: str = "postgresql+psycopg2"

    def new_database(self) -> str:
        name = self.new_name()
        subprocess.run(
            [self.bin / "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", _USER, name],
            env={**os.environ, "PGPASSWORD": self.password},
            check=True,
            timeout=60,
        )
        return f"{self.scheme}://{_USER}:{self.password}@127.0.0.1:{self.port}/{name}"


@dataclass(frozen=True)
class MariaDb(Server):
    """``scheme`` is the driver's."""

    port: int
    password: str
    client: Sequence[str]
    scheme: str = "mysql+pymysql"

    def new_database(self) -> str:
        name = self.new_name()
        sql = (
            f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
            f"CREATE USER IF NOT EXISTS {_USER}@localhost IDENTIFIED BY '{self.password}';"
            f"GRANT ALL ON {name}.* TO {_USER}@localhost;"
        )
        self.run(sql)
        return f"{self.scheme}://{_USER}:{self.password}@127.0.0.1:{self.port}/{name}"

    def run(self, sql: str) -> None:
        """Run statements as the server's administrator."""
        subprocess.run(self.client, input=sql, text=True, check=True, timeout=60)


def _unprivileged() -> str | None:
    # PostgreSQL refuses to run as root.
    return "postgres" if os.geteuid() == 0 else None


@contextmanager
def postgresql() -> Generator[PostgreSql]:
    """PostgreSQL of Debian's package."""
    yield _standing_postgresql()


@functools.cache
def _standing_postgresql() -> PostgreSql:
    return _standing.enter_context(_own_postgresql())


@contextmanager
def _own_postgresql() -> Generator[PostgreSql]:
    versions = Path("/usr/lib/postgresql")
    if not list(versions.glob("*/bin/initdb")):
        install_debian("postgresql")
    binaries = max(versions.glob("*/bin"), key=lambda path: int(path.parent.name))
    port, password, user = find_free_port(), secrets.token_hex(8), _unprivileged()
    with tempfile.TemporaryDirectory() as folder:
        data, log = Path(folder) / "data", Path(folder) / "log"
        Path(folder).chmod(0o755)
        secret = Path(folder) / "password"
        secret.write_text(password)
        data.mkdir()
        if user:
            shutil.chown(data, "postgres")
        init = [binaries / "initdb", "-D", data, "-U", _USER, "-A", "scram-sha-256"]
        subprocess.run(
            [*init, f"--pwfile={secret}", "-E", "UTF8", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            user=user,
        )
        options = ["-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
        with log.open("wb") as out:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, *options],
                stdout=out,
                stderr=out,
                user=user,
                # SIGQUIT: at once.
                preexec_fn=functools.partial(die_with_parent, signal.SIGQUIT),
            )
        try:
            ready = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_for(lambda: subprocess.run(ready).returncode == 0, "PostgreSQL", 120)
            yield PostgreSql(port, password, binaries)
        finally:
            # SIGINT: it ends its clients' sessions; SIGTERM would wait for them.
            server.send_signal(2)
            server.wait(60)


@contextmanager
def mariadb() -> Generator[MariaDb]:
    """MariaDB of Debian's package."""
    yield _standing_mariadb()


@contextmanager
def mariadb_with_standby() -> Generator[MariaDb]:
    """MariaDB as the highly available servers of clouds are: no table is without a primary key, and
    there is a binary log.
    """
    with_log = ("--log-bin", "--log-bin-trust-function-creators=1")
    yield _standing_mariadb("--innodb-force-primary-key=1", *with_log)


@functools.cache
def _standing_mariadb(*options: str) -> MariaDb:
    return _standing.enter_context(own_mariadb(*options))


@contextmanager
def own_mariadb(*options: str) -> Generator[MariaDb]:
    """One for the one who uses it; ``options`` are more of its own."""
    ensure_debian("mariadbd", "mariadb-server")
    port, password = find_free_port(), secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as folder:
        data, socket, log = (Path(folder) / name for name in ("data", "sock", "log"))
        own = ["--no-defaults", f"--datadir={data}", *(["--user=root"] if not os.geteuid() else [])]
        subprocess.run(["mariadb-install-db", *own], check=True, stdout=subprocess.DEVNULL)
        listening = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={socket}"]
        fast = ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]
        with log.open("wb") as out:
            server = subprocess.Popen(
                ["mariadbd", *own, *listening, *fast, *options],
                stdout=out,
                stderr=out,
                preexec_fn=die_with_parent,
            )
        client = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root"]
        try:
            wait_for(
                lambda: (
                    not subprocess.run(client, input="", text=True, capture_output=True).returncode
                ),
                "MariaDB",
                120,
            )
            yield MariaDb(port, password, client)
        finally:
            server.terminate()
            server.wait(60)
