"""What a server says in its log at its start: settings that do not do what one may expect. Pure."""

from collections.abc import Iterator

from runtime.probe import unused_registry
from runtime.settings import RuntimeSettings, variable
from runtime.settings.values import EVERYBODY

_PROXIED = "mlflow-artifacts:"


def told(settings: RuntimeSettings) -> list[str]:
    """A line for each, with what to write instead."""
    return [
        *_options(settings),
        *_everybody(settings),
        *_locations(settings),
        *_plain_http(settings),
    ]


def _options(settings: RuntimeSettings) -> Iterator[str]:
    if settings.gunicorn_opts:
        yield (
            "MLFLOW_GUNICORN_OPTS is not used any more, but for --log-level; use MLFLOW_WORKERS, "
            "MLFLOW_HOST and MLFLOW_PORT"
        )


def _everybody(settings: RuntimeSettings) -> Iterator[str]:
    for groups, may in ((settings.allowed_groups, "write"), (settings.read_groups, "read")):
        if settings.oidc_issuer and EVERYBODY in groups:
            yield f"everybody whom {settings.oidc_issuer} lets in may sign in, and {may}"


def _locations(settings: RuntimeSettings) -> Iterator[str]:
    if unused := unused_registry(settings):
        yield unused
    root = settings.default_artifact_root
    if settings.serve_artifacts and root and not root.startswith(_PROXIED):
        yield (
            f"{variable('default_artifact_root')}={root} has clients write there themselves, with "
            "a login and a plugin of their own, past this server: leave it out, and "
            f"{variable('given_artifacts_destination')} alone says where artifacts are kept"
        )


def _plain_http(settings: RuntimeSettings) -> Iterator[str]:
    """Of the image alone: a stack has a proxy, and an address that is given says what is meant."""
    is_stack = settings.job_token is not None
    if not settings.behind_proxy or settings.tls_cert_file or is_stack or settings.given_public_url:
        return
    port = settings.port
    other = "" if port == 80 else f" (for -p 5000:80, set {variable('port')}=80)"
    yield (
        f"listens on port {port} of this container: publish it to this machine alone with "
        f"-p 127.0.0.1:5000:{port}{other}"
    )
    yield (
        "plain HTTP: where it is published to other machines, tokens cross the network in plain "
        f"text. Give it a certificate by {variable('tls_cert_file')} and "
        f"{variable('tls_key_file')}, or put a TLS proxy before it and set "
        f"{variable('given_public_url')}=https://NAME; where plain HTTP is meant, set "
        f"{variable('given_public_url')}=http://NAME:PORT"
    )
