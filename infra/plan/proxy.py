"""The reverse proxy with TLS before the server, Caddy, and its configuration. Pure.

Caddy obtains and renews certificates by itself: from an ACME authority, or from the stack's own
certificate authority, whose certificate the stack exports for its clients to trust.
https://caddyserver.com/docs/caddyfile
"""

from collections.abc import Sequence

from infra.plan.workloads import SECRETS_DIRECTORY, Probe, Workload
from infra.settings.proxy import ProxyKeys
from runtime import health
from runtime.client.server import AUTHORITY

# As browsers expect it; on this machine another may be published.
PORT = 443
# Seen in the container only: whether the proxy lives. The server has a probe of its own.
_PROBE = "http://127.0.0.1:2020"
# How long a request waits for a server that is being started again. Of those with a body Caddy 2.10
# can send none that it could not send at first: they end with 502 once the server is there, and
# MLflow's client sends them again. https://github.com/caddyserver/caddy/pull/7547
_WAIT_SECONDS = 30
# GiB. Measured: 0.05.
_MEMORY_REQUEST, _MEMORY_LIMIT = 0.1, 0.25

# tls -> the secret files that the proxy reads
_SECRET_FILES: dict[str, frozenset[str]] = {
    "internal": frozenset({"ca_certificate", "ca_key"}),
    "acme": frozenset(),
    "files": frozenset({"tls_certificate", "tls_key"}),
}


def _global_options(keys: ProxyKeys, name: str) -> list[str]:
    lines = ["admin off", "auto_https disable_redirects", "skip_install_trust"]
    # Who calls an address names none.
    lines.append(f"default_sni {name}")
    if keys.acme_email:
        lines.append(f"email {keys.acme_email}")
    if keys.acme_directory:
        lines.append(f"acme_ca {keys.acme_directory}")
    if keys.tls == "internal":
        cert, key = f"{SECRETS_DIRECTORY}/ca_certificate", f"{SECRETS_DIRECTORY}/ca_key"
        lines.append(f"pki {{\nca local {{\nroot {{\ncert {cert}\nkey {key}\n}}\n}}\n}}")
    return lines


def _tls(keys: ProxyKeys) -> str:
    if keys.tls == "files":
        return f"tls {SECRETS_DIRECTORY}/tls_certificate {SECRETS_DIRECTORY}/tls_key"
    return "tls internal" if keys.tls == "internal" else "# certificate by ACME"


def _authority(keys: ProxyKeys) -> str:
    """The authority's own certificate for whoever asks, so that people can come to trust it.

    Of the folder, which has its key too, this file alone: every address that comes here is
    rewritten to it.
    """
    if keys.tls != "internal":
        return ""
    return (
        f"handle {AUTHORITY} {{\nroot * {SECRETS_DIRECTORY}\nrewrite * /ca_certificate\n"
        "header Content-Type application/x-pem-file\nfile_server\n}\n"
    )


def _probed(keys: ProxyKeys, upstream: str, prefix: str) -> str:
    """Whether the server is ready, under any name.

    `handle`, because Caddy has `respond` answer first.
    """
    return (
        f":{PORT} {{\n{_tls(keys)}\n"
        f"handle {prefix}{health.PATH} {{\nrewrite * {prefix}{health.READY_PATH}\n"
        f"reverse_proxy {upstream}\n}}\n"
        "handle {\nrespond 404\n}\n}\n"
    )


def reverse_proxy(
    keys: ProxyKeys, names: Sequence[str], *, upstream: str, probed_below: str | None = None
) -> Workload:
    """The proxy for the host names or addresses ``names``, before ``upstream``.

    ``upstream`` is the server's ``host:port``. Where a load balancer asks for the server's health,
    by an address of its own choice, ``probed_below`` is the server's path prefix. The proxy's
    configuration holds no secret, and comes in the environment, because not every cloud can mount a
    file.
    """
    file = "/tmp/Caddyfile"  # noqa: S108 - in the container
    read = f'printf %s "$CADDYFILE" >{file} && exec caddy run --adapter caddyfile --config {file}'
    return Workload(
        # Of its first days; containers, units and volumes of stacks that are up have it.
        name="front",
        kind="service",
        image="proxy",
        command=("sh", "-c", read),
        environment={"CADDYFILE": _caddyfile(keys, names, upstream, probed_below)},
        secret_files=_SECRET_FILES[keys.tls],
        port=PORT,
        probe=Probe(
            command=("wget", "-q", "-O", "/dev/null", f"{_PROBE}/health"),
            start_seconds=30,
            failures=6,
        ),
        cpus=0.5,
        memory_request=_MEMORY_REQUEST,
        memory_limit=_MEMORY_LIMIT,
    )


def _caddyfile(
    keys: ProxyKeys, names: Sequence[str], upstream: str, probed_below: str | None
) -> str:
    # Timeouts leave an upload of hours alone, and only limit how long a client may take over the
    # head of a request.
    sites = ", ".join(f"https://{name}:{PORT}" for name in names)
    options = "\n".join(_global_options(keys, names[0]))
    return (
        f"{{\n{options}\nservers {{\ntimeouts {{\nread_header 10s\nidle 5m\n}}\n}}\n}}\n"
        f"{sites} {{\n{_tls(keys)}\n{_authority(keys)}"
        f"reverse_proxy {upstream} {{\nflush_interval -1\n"
        f"lb_try_duration {_WAIT_SECONDS}s\n"
        # No connection was made, or else it is not sent again: it may be what broke the server.
        "lb_retry_match {\nmethod NONE\n}\n}\n}\n"
        f"{'' if probed_below is None else _probed(keys, upstream, probed_below)}"
        f"{_PROBE} {{\nbind 127.0.0.1\nrespond 200\n}}\n"
    )
