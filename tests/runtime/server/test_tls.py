"""TLS by the server itself, from files; and plain HTTP on loopback only."""

import subprocess
from pathlib import Path

import pytest

from infra.clouds.shared.generated import make_authority
from infra.rehearsal.system.packages import ensure_debian
from infra.rehearsal.system.ports import find_free_port
from tests import warm
from tests.runtime.serving import serving
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow


def _openssl(command: str, *arguments: str) -> None:
    ensure_debian("openssl", "openssl")
    subprocess.run(["openssl", *command.split(), *arguments], check=True, capture_output=True)


def _issue(folder: Path) -> tuple[Path, Path, Path]:
    """Authority, certificate and key, for localhost."""
    paths = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    authority, authority_key = make_authority("tests")
    paths[0].write_text(authority)
    (folder / "ca-key.pem").write_text(authority_key)
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    request = str(folder / "request.pem")
    new_key = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost"
    _openssl(new_key, "-keyout", str(paths[2]), "-out", request)
    issuer = ("-CA", str(paths[0]), "-CAkey", str(folder / "ca-key.pem"))
    named = ("-extfile", str(folder / "names"), "-out", str(paths[1]))
    _openssl("x509 -req -days 2", "-in", request, *issuer, *named)
    return paths


# In a process of its own, which ends its connections.
_CLIENT = "import mlflow; assert mlflow.MlflowClient().search_experiments(max_results=1)"


def test_a_client_reaches_the_server_by_tls(tmp_path: Path) -> None:
    authority, certificate, key = _issue(tmp_path)
    with serving(
        tmp_path / "server",
        authority=authority,
        TRACKSTACK_TLS_CERT_FILE=str(certificate),
        TRACKSTACK_TLS_KEY_FILE=str(key),
    ) as server:
        python = str(Path(TRACKSTACK).with_name("python"))
        environment = {
            **server.environment,
            "MLFLOW_TRACKING_TOKEN": server.token,
            "MLFLOW_TRACKING_SERVER_CERT_PATH": str(authority),
        }
        assert subprocess.run([python, "-c", _CLIENT], env=environment).returncode == 0
        health = [python, "-I", "-m", "runtime.health"]
        assert subprocess.run(health, env=environment).returncode == 0


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MLFLOW_HOST": "0.0.0.0"}, "would send tokens in plain text over the network"),
        ({"TRACKSTACK_TLS_CERT_FILE": "/nowhere/cert.pem"}, "set both TRACKSTACK_TLS_CERT_FILE"),
        (
            {
                "TRACKSTACK_TLS_CERT_FILE": "/nowhere/cert.pem",
                "TRACKSTACK_TLS_KEY_FILE": "/nowhere/key.pem",
            },
            "the TLS file /nowhere/cert.pem cannot be read",
        ),
        (
            {"TRACKSTACK_OIDC_ISSUER": "https://login.example.com"},
            "TRACKSTACK_OIDC_CLIENT_ID",
        ),
    ],
)
def test_a_server_that_would_be_open_does_not_start(
    tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    given = {"PATH": "/usr/bin:/bin", "TRACKSTACK_DATA_DIR": str(tmp_path)}
    given |= {"MLFLOW_PORT": str(find_free_port()), **environment}
    done = warm.run([TRACKSTACK, "server"], env=given, capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
