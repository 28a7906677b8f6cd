"""The containers of one tracking server, the same on every cloud. Pure.

Server, scheduler and TLS front run beside each other, in a container group or on one machine. Each
cloud turns these specifications into its own resources; how secret files get to
``SECRETS_DIRECTORY`` is the cloud's part.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from infra.plan import environment
from infra.plan.environment import Runtime
from infra.settings.common import Common
from runtime.settings import default, environment_of

SECRETS_DIRECTORY = "/run/secrets/trackstack"
DATA_DIRECTORY = "/data"
SERVER_PORT: int = default("port")
# Any user can be used; this one is in the image, and the server and its jobs share files.
USER = "10001:10001"

# GiB. Measured: a scheduler at rest takes 0.05, a front 0.05; a job comes and goes with 0.3.
_FRONT_REQUEST, _SCHEDULER_REQUEST = 0.1, 0.2
_FRONT_LIMIT, _SCHEDULER_LIMIT = 0.25, 1.0


@dataclass(frozen=True)
class Container:
    """What one container runs; ``requests`` add up to the group's size, ``limits`` may exceed it.

    ``command`` are the arguments of the image's entrypoint. ``secret_files`` are the names of the
    files that it may read. Memory in GiB.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    secret_files: frozenset[str]
    port: int | None
    cpus: float
    memory_request: float
    memory_limit: float
    is_front: bool = field(default=False)

    @property
    def data_volume(self) -> str:
        """The volume of what it writes: the front's keys are not for the server to see."""
        return "front-data" if self.is_front else "data"


def _secrets(names: Mapping[str, str]) -> dict[str, str]:
    return {variable: f"{SECRETS_DIRECTORY}/{file}" for variable, file in names.items()}


def server(
    settings: Common,
    runtime: Runtime,
    *,
    cpus: float,
    memory: float,
    has_client_secret: bool,
    extra: Mapping[str, str] | None = None,
) -> Container:
    """`trackstack server`, which migrates the backend store before it serves.

    ``cpus`` and ``memory`` (GiB) are those of the whole group; ``has_client_secret`` says whether
    the sign-in has one beside PKCE; ``extra`` is more environment.
    """
    names = environment.SERVER_SECRETS | (environment.SIGN_IN_SECRETS if has_client_secret else {})
    return Container(
        name="server",
        command=("server",),
        environment=environment.server(settings, runtime)
        | _secrets(names)
        # Only the front can reach it, which says whom it stands for.
        | environment_of(upgrade=True)
        | {"FORWARDED_ALLOW_IPS": "*", **(extra or {})},
        secret_files=frozenset(names.values()),
        port=runtime.port,
        cpus=cpus,
        memory_request=round(memory - _FRONT_REQUEST - _SCHEDULER_REQUEST, 2),
        memory_limit=round(memory - _FRONT_REQUEST, 2),
    )


def scheduler(settings: Common, runtime: Runtime, *, cpus: float, memory: float) -> Container:
    """`trackstack scheduler`: gc, prune and backup by cron; exactly one for a store."""
    return Container(
        name="scheduler",
        command=("scheduler",),
        environment=environment.scheduler(settings, runtime) | _secrets(environment.JOB_SECRETS),
        secret_files=frozenset(environment.JOB_SECRETS.values()),
        port=None,
        cpus=cpus,
        memory_request=_SCHEDULER_REQUEST,
        memory_limit=min(_SCHEDULER_LIMIT, round(memory - _FRONT_REQUEST, 2)),
    )


def jobs(
    scheduler: Container, names: Iterable[str], *, on_replicas: bool = False
) -> dict[str, Container]:
    """The scheduler's jobs for a platform that starts each when it is due, by name.

    ``on_replicas`` says that it does so on several machines, of which one is to run it.
    """
    turn = ("--my-turn",) if on_replicas else ()
    return {
        job: replace(scheduler, name=job, command=("scheduler", "--once", job, *turn))
        for job in names
    }


def front(caddyfile: str, secret_files: frozenset[str], *, port: int) -> Container:
    """The TLS front; its configuration holds no secret and comes in the environment.

    The configuration is read from there because not every cloud can mount a file.
    """
    file = "/tmp/Caddyfile"  # noqa: S108 - in the container
    read = f'printf %s "$CADDYFILE" >{file} && exec caddy run --adapter caddyfile --config {file}'
    return Container(
        name="front",
        command=("sh", "-c", read),
        environment={"CADDYFILE": caddyfile},
        secret_files=secret_files,
        port=port,
        cpus=0.5,
        memory_request=_FRONT_REQUEST,
        memory_limit=_FRONT_LIMIT,
        is_front=True,
    )
