"""The image as people start it, with a plain `docker run`: what the log says, and the way in."""

import os
import stat
from pathlib import Path

import pytest

from runtime.database.engine import open_engine
from runtime.database.uri import make_directories
from runtime.errors import UserError
from runtime.paths import unwritable
from runtime.server import first_token
from runtime.server.told import told
from runtime.settings import MADE_TOKEN, load, secret_file
from runtime.tokens.store import Role, TokenTable
from tests import warm
from tests.runtime.database.empty import put_empty_store
from tests.runtime.filled import settings_of
from tests.runtime.serving import serving
from tests.warm import TRACKSTACK

_IMAGE = {"MLFLOW_HOST": "0.0.0.0", "TRACKSTACK_BEHIND_PROXY": "true"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (_IMAGE, ("-p 127.0.0.1:5000:5000", "MLFLOW_PORT=80", "TRACKSTACK_TLS_CERT_FILE")),
        ({**_IMAGE, "MLFLOW_PORT": "80"}, ("-p 127.0.0.1:5000:80", "plain HTTP")),
        # The word that means it, and a TLS proxy.
        ({**_IMAGE, "TRACKSTACK_PUBLIC_URL": "http://ml.example:5000"}, ()),
        ({**_IMAGE, "TRACKSTACK_PUBLIC_URL": "https://ml.example"}, ()),
        # A stack's own server, and one on loopback.
        ({**_IMAGE, "TRACKSTACK_JOB_TOKEN": "x" * 43}, ()),
        ({}, ()),
        ({"MLFLOW_REGISTRY_URI": "http://127.0.0.1:5000/"}, ()),
        ({"MLFLOW_REGISTRY_URI": "databricks-uc"}, ("MLFLOW_REGISTRY_URI", "take it out")),
        (
            {"MLFLOW_DEFAULT_ARTIFACT_ROOT": "oci://b@n/p"},
            ("MLFLOW_DEFAULT_ARTIFACT_ROOT", "leave it out"),
        ),
        ({"MLFLOW_DEFAULT_ARTIFACT_ROOT": "mlflow-artifacts:/x"}, ()),
        ({"MLFLOW_DEFAULT_ARTIFACT_ROOT": "oci://b@n/p", "MLFLOW_SERVE_ARTIFACTS": "false"}, ()),
        (
            {"TRACKSTACK_OIDC_ISSUER": "https://i.example", "TRACKSTACK_ALLOWED_GROUPS": "*"},
            ("everybody whom https://i.example lets in may sign in, and write",),
        ),
        ({"MLFLOW_GUNICORN_OPTS": "--workers 9"}, ("MLFLOW_WORKERS",)),
    ],
)
def test_a_server_says_at_its_start_what_else_would_surprise(
    given: dict[str, str], words: tuple[str, ...]
) -> None:
    said = told(load(given))
    assert bool(said) == bool(words)
    assert all(word in " ".join(said) for word in words)
    assert all("\n" not in line for line in said)


@pytest.mark.parametrize(
    ("owner", "user", "read_only", "words"),
    [
        (0, 10001, False, ("user 10001", "belongs to user 0", "sudo chown -R 10001")),
        (1000, 10001, False, ("belongs to user 1000", "--user 1000")),
        (0, 0, True, ("read-only", ":ro")),
    ],
)
def test_a_folder_that_cannot_be_written_is_one_line_with_the_cure(
    owner: int, user: int, read_only: bool, words: tuple[str, ...]
) -> None:
    said = unwritable(Path("/data/store"), owner, user, read_only=read_only)
    assert "/data/store" in said
    assert all(word in said for word in words)
    assert "\n" not in said


def test_a_data_directory_that_cannot_be_made_is_no_stack_trace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="file/data/store cannot be made"):
        make_directories(settings_of(tmp_path / "file" / "data"))


def test_a_token_is_made_where_nobody_could_come_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The store is elsewhere, so that nothing else has made the data directory.
    (tmp_path / "store").mkdir()
    uri = f"sqlite:///{tmp_path}/store/mydb.sqlite"
    data = tmp_path / "data"
    settings = settings_of(data, uri, MLFLOW_ARTIFACTS_DESTINATION=str(tmp_path / "store"))
    make_directories(settings)
    engine = open_engine(settings)
    assert first_token.is_needed(settings, engine)
    first_token.make(settings)
    file = data / MADE_TOKEN
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token, said = file.read_text().strip(), capsys.readouterr().err
    assert f"export MLFLOW_TRACKING_TOKEN={token}" in said
    assert "export MLFLOW_TRACKING_URI=http://127.0.0.1:5000" in said
    # A second replica on the same folder takes the first one's.
    first_token.make(settings)
    assert file.read_text().strip() == token
    assert token not in capsys.readouterr().err
    # Commands beside the server have it, those that ask another server do not.
    environment = {"TRACKSTACK_DATA_DIR": str(data)}
    made = load(environment).tracking_token
    assert made is not None
    assert made.get_secret_value() == token
    assert secret_file("MLFLOW_TRACKING_TOKEN", environment) == file
    assert load({**environment, "MLFLOW_TRACKING_URI": "http://other"}).tracking_token is None
    given = load({**environment, "MLFLOW_TRACKING_TOKEN": "x" * 43}).tracking_token
    assert given is not None
    assert given.get_secret_value() == "x" * 43


@pytest.mark.parametrize(
    "given",
    [
        {"MLFLOW_TRACKING_TOKEN": "x" * 43},
        {"TRACKSTACK_JOB_TOKEN": "x" * 43},
        {"TRACKSTACK_OIDC_ISSUER": "https://issuer.example"},
    ],
)
def test_none_is_made_where_somebody_can_come_in(given: dict[str, str], tmp_path: Path) -> None:
    settings = settings_of(tmp_path, **given)
    make_directories(settings)
    assert not first_token.is_needed(settings, open_engine(settings))


def test_none_is_made_beside_a_named_token(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    make_directories(settings)
    engine = open_engine(settings)
    TokenTable(engine).add("ada", Role.ADMIN, None)
    assert not first_token.is_needed(settings, engine)


@pytest.mark.parametrize("where", ["folder", "database"])
def test_a_server_that_cannot_start_says_that_alone(where: str, tmp_path: Path) -> None:
    """And nothing of a port at which nobody listens."""
    (tmp_path / "file").write_text("in the way")
    given = (
        {"TRACKSTACK_DATA_DIR": str(tmp_path / "file" / "data")}
        if where == "folder"
        else {"TRACKSTACK_DATA_DIR": str(tmp_path), "BACKEND_PROVIDER": "mysql"}
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    done = warm.run(
        [TRACKSTACK, "server"], env={**kept, **_IMAGE, **given}, capture_output=True, text=True
    )
    [line] = done.stderr.splitlines()
    assert line.startswith("trackstack: ")
    assert done.returncode in (1, 2)


@pytest.mark.slow
def test_without_a_token_the_server_makes_one_and_shows_it_once(tmp_path: Path) -> None:
    put_empty_store(tmp_path)
    logs, token = list[str](), ""
    for _start in range(2):
        with serving(
            tmp_path,
            MLFLOW_TRACKING_TOKEN_FILE="",
            MLFLOW_TRACKING_URI="",
            TRACKSTACK_BEHIND_PROXY="true",
        ) as server:
            token = (tmp_path / MADE_TOKEN).read_text().strip()
            path = "/api/2.0/mlflow/experiments/search?max_results=1"
            assert server.request("GET", path, token).status == 200
            assert server.request("GET", path).status == 401
            page = server.request("GET", "/", headers={"accept": "text/html"}).body.decode()
            assert MADE_TOKEN in page
            assert "make token" not in page
            assert server.run("doctor").returncode == 0
        logs.append((tmp_path / "server.log").read_text())
    assert logs[0].count(f"MLFLOW_TRACKING_TOKEN={token}") == 1
    assert token not in logs[1]
    # What the libraries have to say to each other.
    assert "DeprecationWarning" not in logs[0]
    assert f"is kept in {tmp_path / MADE_TOKEN}" in logs[1]


@pytest.mark.slow
def test_a_name_that_the_server_does_not_know_is_told_the_way_out(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        host = {"host": "myhost.example.com:5000"}
        path = "/api/2.0/mlflow/experiments/search?max_results=1"
        answer = server.request("GET", path, server.token, headers=host)
        page = server.request("GET", "/", server.token, headers={**host, "accept": "text/html"})
        assert answer.status == page.status == 403
        for body in (answer.body, page.body):
            assert b"TRACKSTACK_PUBLIC_URL=http://myhost.example.com:5000" in body
    log = (tmp_path / "server.log").read_text()
    assert "TRACKSTACK_PUBLIC_URL=http://myhost.example.com:5000" in log
