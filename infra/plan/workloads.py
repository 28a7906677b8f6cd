"""What a tracking server consists of, the same on every cloud. Pure.

``entries`` is the list; jobs come from runtime.jobs. A cloud renders each workload by its kind,
image and probe, never by its name, so that a new one is one entry. How secret files get to
``SECRETS_DIRECTORY`` is the cloud's part.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from infra.plan import environment
from infra.plan.environment import Runtime
from infra.settings.common import Common
from runtime import health
from runtime.jobs.schedules import schedules
from runtime.settings import default, environment_of, file_variable

SECRETS_DIRECTORY = "/run/secrets/trackstack"
DATA_DIRECTORY = "/data"
SERVER_PORT: int = default("port")
# Any user can be used; this one is in the image, and the server and its jobs share files.
USER = "10001:10001"

Kind = Literal["service", "job", "init"]
Image = Literal["runtime", "proxy"]
# Who runs the jobs: a scheduler beside the server; the platform, each when it is due; or the
# platform of several machines, of which one is to run it.
Schedulers = Literal["scheduler", "platform", "replicas"]

# GiB and CPUs. Measured: a scheduler at rest takes 0.05 GiB; a job comes and goes with 0.3.
_SCHEDULER_REQUEST, _JOB_LIMIT = 0.2, 1.0
_BESIDE_CPUS = 0.1
# What makes the database, on the clouds where something does.
DATABASE = "database"
_ADMIN_FILE = "database_admin_uri"


@dataclass(frozen=True)
class Probe:
    """How a platform asks whether a service lives.

    ``command`` exits with 0 in the service's own container. Over the network, ``path`` is asked for
    on its port by HTTP; without one, whether the port takes a connection. ``ready_path`` says
    whether users may be sent there. Within ``start_seconds`` nothing that fails counts; after that,
    ``failures`` in a row a few seconds apart are too many.
    """

    command: tuple[str, ...]
    start_seconds: int
    failures: int
    path: str | None = None
    ready_path: str | None = None


@dataclass(frozen=True)
class Workload:
    """One process with what it needs. A service runs always, a job at the times of its
    ``schedule`` (five-field cron in UTC), an init once, to its end, before the others are ready.

    ``command`` are the arguments of the image's entrypoint; the proxy's image has none.
    ``secret_files`` are the names of the files that it may read. CPUs and GiB: requests add up to
    the size of the whole, limits may exceed it. One that ``lends`` its memory leaves it to the
    others while it rests; one that ``takes_rest`` is given what the others leave.
    """

    name: str
    kind: Kind
    command: tuple[str, ...]
    environment: Mapping[str, str]
    secret_files: frozenset[str]
    cpus: float
    memory_limit: float
    memory_request: float = 0
    cpu_request: float = _BESIDE_CPUS
    image: Image = "runtime"
    port: int | None = None
    probe: Probe | None = None
    schedule: str | None = None
    lends: bool = False
    takes_rest: bool = False

    @property
    def volume(self) -> str:
        """The volume of what it writes: the proxy's keys are not for the server to see."""
        return "front-data" if self.image == "proxy" else "data"

    @property
    def whole_command(self) -> tuple[str, ...]:
        """With the entrypoint, for a platform whose commands replace it."""
        return self.command if self.image == "proxy" else ("trackstack", *self.command)


@dataclass(frozen=True)
class Workloads:
    """All of a stack's, in the order in which they start."""

    all: tuple[Workload, ...]

    def of(self, *kinds: Kind) -> tuple[Workload, ...]:
        """Those of some kinds."""
        return tuple(workload for workload in self.all if workload.kind in kinds)

    @property
    def server(self) -> Workload:
        """The one that users' requests reach in the end."""
        [found] = (w for w in self.all if w.takes_rest)
        return found

    @property
    def scheduler(self) -> Workload:
        """What runs the jobs, where the platform does not."""
        [found] = (w for w in self.all if w.lends)
        return found

    @property
    def volumes(self) -> tuple[str, ...]:
        """Of what they write, each named once."""
        return tuple(dict.fromkeys(workload.volume for workload in self.all))

    @property
    def secret_files(self) -> frozenset[str]:
        return frozenset(name for workload in self.all for name in workload.secret_files)


@dataclass(frozen=True)
class Site:
    """What a cloud decides about the workloads of a stack.

    ``cpus`` and ``memory`` (GiB) are those of all together. ``store_file`` says whether the store's
    login comes in a file, ``secret_keys`` are those that the stack file has,
    ``makes_database`` whether database and user are still to be made in a server that is there.
    Without a ``proxy`` of the stack's own, the platform has TLS; ``is_proxied`` is False where
    nothing stands before the server. ``for_server`` and ``for_jobs`` are more variables.
    """

    runtime: Runtime
    cpus: float
    memory: float
    jobs: Schedulers
    secret_keys: frozenset[str]
    store_file: bool = True
    makes_database: bool = False
    proxy: Workload | None = None
    is_proxied: bool = True
    secrets_directory: str = SECRETS_DIRECTORY
    for_server: Mapping[str, str] = field(default_factory=dict[str, str])
    for_jobs: Mapping[str, str] = field(default_factory=dict[str, str])

    def given(
        self, names: Mapping[str, str], by_key: Mapping[str, Mapping[str, str]]
    ) -> dict[str, str]:
        """``names`` with those of the secret keys that the stack file has."""
        keys = [variables for key, variables in by_key.items() if key in self.secret_keys]
        return {**names, **{name: file for variables in keys for name, file in variables.items()}}

    def secrets(self, names: Mapping[str, str]) -> dict[str, str]:
        """The variables that name secret files; the store's only where there is one."""
        left = {} if self.store_file else environment.STORE_SECRETS
        return {
            variable: f"{self.secrets_directory}/{file}"
            for variable, file in names.items()
            if variable not in left
        }


def make_workloads(settings: Common, site: Site) -> Workloads:
    """The entries, each within the size of the whole."""
    found = entries(settings, site)
    services = [w for w in found if w.kind == "service" and not w.takes_rest]
    room = round(site.memory - sum(w.memory_request for w in services if not w.lends), 2)
    rest = {
        "cpu_request": site.cpus - sum(w.cpu_request for w in services),
        "memory_request": round(site.memory - sum(w.memory_request for w in services), 2),
    }
    limited = (replace(w, memory_limit=min(w.memory_limit, room)) for w in found)
    return Workloads(tuple(replace(w, **rest) if w.takes_rest else w for w in limited))


def entries(settings: Common, site: Site) -> tuple[Workload, ...]:
    """All that a tracking server consists of, in the order in which they start."""
    return (
        *([_database(settings, site)] if site.makes_database else []),
        _server(settings, site),
        *([_scheduler(settings, site)] if site.jobs == "scheduler" else _jobs(settings, site)),
        *([site.proxy] if site.proxy else []),
    )


def _server(settings: Common, site: Site) -> Workload:
    """`trackstack server`, which migrates the backend store before it serves."""
    own = environment.SERVER_SECRETS | environment.of_backups(settings)
    names = site.given(own, environment.SERVER_KEYS)
    # Only the proxy can reach it, which says whom it speaks for.
    proxied = environment_of(upgrade=True, forwarded_allow_ips="*")
    return Workload(
        name="server",
        kind="service",
        command=("server",),
        environment={
            **environment.server(settings, site.runtime),
            **site.secrets(names),
            **(proxied if site.is_proxied else {}),
            **site.for_server,
        },
        secret_files=_files(site, names),
        port=site.runtime.port,
        probe=Probe(
            command=("/opt/trackstack/bin/python", "-I", "-m", "runtime.health"),
            start_seconds=60,
            failures=3,
            path=f"{settings.path_prefix}{health.PATH}",
            ready_path=f"{settings.path_prefix}{health.READY_PATH}",
        ),
        cpus=site.cpus,
        memory_limit=site.memory,
        takes_rest=True,
    )


def _scheduler(settings: Common, site: Site) -> Workload:
    """`trackstack scheduler`: all jobs by cron; exactly one for a store."""
    own = environment.JOB_SECRETS | environment.of_backups(settings)
    names = site.given(own, environment.JOB_KEYS)
    return Workload(
        name="scheduler",
        kind="service",
        command=("scheduler",),
        environment={
            **environment.scheduler(settings, site.runtime),
            **site.secrets(names),
            **site.for_jobs,
        },
        secret_files=_files(site, names),
        cpus=site.cpus,
        memory_request=_SCHEDULER_REQUEST,
        memory_limit=_JOB_LIMIT,
        lends=True,
    )


def _jobs(settings: Common, site: Site) -> list[Workload]:
    """The scheduler's jobs for a platform that starts each, one that runs alone, when it is due."""
    elect = ("--elect",) if site.jobs == "replicas" else ()
    return [
        replace(
            _scheduler(settings, site),
            name=job,
            kind="job",
            command=("scheduler", "--once", job, *elect),
            schedule=schedule,
            cpu_request=site.cpus,
            memory_request=site.memory,
            lends=False,
        )
        for job, schedule in schedules(settings).items()
    ]


def _database(settings: Common, site: Site) -> Workload:
    """`trackstack database`: makes database and user in a database server of the stack's own."""
    variable = {file_variable("database_admin_uri"): _ADMIN_FILE}
    return Workload(
        name=DATABASE,
        kind="init",
        command=("database",),
        environment=environment.store(settings, site.runtime) | site.secrets(variable),
        secret_files=frozenset({_ADMIN_FILE}),
        cpus=site.cpus,
        memory_limit=_JOB_LIMIT,
    )


def _files(site: Site, names: Mapping[str, str]) -> frozenset[str]:
    return frozenset(file for variable, file in names.items() if variable in site.secrets(names))
