"""A server below a path: all of it is there for the client and a browser, nothing beside it."""

import http.client
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode, urlsplit

import pytest

from tests import warm
from tests.browser import browsing
from tests.runtime.serving import REFUSED, Answer, Serving, serving
from tests.warm import TRACKSTACK

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
_SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
# Milliseconds in which the page asks for what it shows.
_SETTLES = 2500


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Generator[Serving]:
    folder = tmp_path_factory.mktemp("below")
    variables: dict[str, Any] = {
        "MLFLOW_STATIC_PREFIX": "/team/mlflow",
        "TRACKSTACK_BACKUP_DESTINATION": str(folder / "backups"),
    }
    with serving(folder, **variables) as server:
        yield server


@pytest.fixture(scope="module")
def below_api(tmp_path_factory: pytest.TempPathFactory) -> Generator[Serving]:
    """Below a path that MLflow's own routes begin with."""
    with serving(tmp_path_factory.mktemp("api"), MLFLOW_STATIC_PREFIX="/api") as server:
        yield server


def _raw(server: Serving, method: str, path: str, token: str | None = None) -> Answer:
    """A request of exactly this path, wherever the server is."""
    address = urlsplit(server.uri)
    link = http.client.HTTPConnection(str(address.hostname), int(address.port or 0), timeout=30)
    try:
        link.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = link.getresponse()
        return Answer(answer.status, dict(answer.headers), answer.read())
    finally:
        link.close()


def _prefix(server: Serving) -> str:
    return urlsplit(server.uri).path


def test_the_real_client_does_all_that_it_does_at_the_root(
    below: Serving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import mlflow

    client: Any = below.client(monkeypatch)
    experiment = client.create_experiment("below")
    run = client.create_run(experiment, run_name="a-run").info.run_id
    client.log_metric(run, "loss", 0.25)
    client.log_text(run, "an artifact", "notes/a.txt")
    assert [f.path for f in client.list_artifacts(run, "notes")] == ["notes/a.txt"]
    path = client.download_artifacts(run, "notes/a.txt", str(tmp_path))
    assert Path(path).read_text() == "an artifact"
    client.set_terminated(run)
    [found] = client.search_runs([experiment], "metrics.loss < 1")
    assert found.info.run_id == run
    client.create_registered_model("model")
    version = client.create_model_version("model", f"runs:/{run}/notes", run).version
    client.set_registered_model_alias("model", "Champion", version)
    assert client.get_model_version_by_alias("model", "Champion").version == version
    downloaded = cast("Any", mlflow).artifacts.download_artifacts("models:/model@Champion")
    assert (Path(downloaded) / "a.txt").read_text() == "an artifact"
    cast("Any", mlflow).set_experiment(experiment_id=experiment)
    with mlflow.start_span("span") as span:
        span.set_inputs({"q": 1})
    mlflow.flush_trace_async_logging()
    [trace] = client.search_traces(locations=[experiment])
    assert [each.name for each in trace.data.spans] == ["span"]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/version", "/metrics", "/trackstack/account"),
        *(_SEARCH, f"/ajax{_SEARCH.replace('/api', '-api')}"),
        *("/ajax-api/3.0/mlflow/server-info", "/static-files/favicon.ico"),
        *("/api/2.0/mlflow-artifacts/artifacts", "/ajax-api/2.0/mlflow-artifacts/artifacts"),
    ],
)
@pytest.mark.parametrize("fixture", ["below", "below_api"])
def test_each_kind_of_route_is_below_the_path_and_needs_the_token(
    request: pytest.FixtureRequest, fixture: str, path: str
) -> None:
    below: Serving = request.getfixturevalue(fixture)
    assert below.request("GET", path).status in REFUSED
    assert below.request("GET", path, below.token).status == 200
    # Also with the token there is nothing elsewhere, nor by another spelling.
    prefix = _prefix(below)
    first, rest = prefix[1], prefix[2:]
    for beside in (
        path,
        f"{prefix}x{path}",
        f"/{prefix}{path}",
        f"/x/..{prefix}{path}",
        f"/%{ord(first):x}{rest}{path}",
        f"{prefix[:-1]}{path}",
        f"{prefix}{prefix}{path}",
    ):
        assert _raw(below, "GET", beside, below.token).status == 404, beside
        assert _raw(below, "GET", beside).status in (*REFUSED, 404), beside


def test_traces_and_graphql_are_below_the_path(below: Serving) -> None:
    query = b'{"query": "query { test(inputString: \\"x\\") { output } }"}'
    json_type = {"content-type": "application/json"}
    answer = below.request("POST", "/graphql", below.token, headers=json_type, body=query)
    assert answer.status == 200
    otlp = {"content-type": "application/x-protobuf", "x-mlflow-experiment-id": "0"}
    answer = below.request("POST", "/v1/traces", below.token, headers=otlp, body=b"")
    assert answer.status not in (*REFUSED, 403, 404)


def test_the_health_route_alone_is_open(below: Serving) -> None:
    for path in ("/health", "/health?ready"):
        assert below.request("GET", path).status == 200
        assert _raw(below, "GET", path, below.token).status == 404
    for spelling in ("//health", "/%68ealth", "/health/"):
        assert below.request("GET", spelling).status in REFUSED, spelling


def test_the_image_s_health_check_finds_it(below: Serving) -> None:
    done = subprocess.run([sys.executable, "-m", "runtime.health"], env=dict(below.environment))
    assert done.returncode == 0
    other = {**below.environment, "MLFLOW_STATIC_PREFIX": "/elsewhere"}
    assert subprocess.run([sys.executable, "-m", "runtime.health"], env=other).returncode == 1


def test_the_path_alone_leads_to_the_page(below: Serving) -> None:
    prefix = _prefix(below)
    answer = _raw(below, "GET", f"{prefix}?a=b")
    assert (answer.status, answer.headers["location"]) == (307, f"{prefix}/?a=b")
    assert _raw(below, "POST", prefix).status == 404


def test_whoever_forgets_the_path_is_told(below: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    below.client(monkeypatch)
    root = below.uri.removesuffix(_prefix(below))
    client = mlflow.MlflowClient(tracking_uri=root)
    with pytest.raises(Exception, match="nothing is here: the server is below /team/mlflow/"):
        client.get_experiment("0")


def test_a_session_is_of_the_path_alone(below: Serving) -> None:
    prefix = _prefix(below)
    headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}

    def sign_in(target: str) -> Answer:
        form = urlencode({"token": below.token, "next": target}).encode()
        return below.request("POST", "/trackstack/sign-in", headers=headers, body=form)

    for target in ("/", "/other", f"{prefix}x/", "//evil.example", "x"):
        assert sign_in(target).headers["location"] == f"{prefix}/", target
    answer = sign_in(f"{prefix}/#/experiments")
    assert (answer.status, answer.headers["location"]) == (303, f"{prefix}/#/experiments")
    assert f"; Path={prefix};" in answer.headers["set-cookie"]
    cookie = {"cookie": answer.headers["set-cookie"].split(";")[0], **headers}
    left = below.request("POST", "/trackstack/sign-out", headers=cookie)
    assert (left.status, left.headers["location"]) == (303, f"{prefix}/")
    assert f"; Path={prefix};" in left.headers["set-cookie"]


def test_jobs_and_doctor_find_the_server(below: Serving) -> None:
    for arguments in (
        *(["doctor"], ["gc"], ["prune", "--dry-run"], ["report"], ["report", "--format", "html"]),
        *(["scheduler", "--once", "gc"], ["scheduler", "--once", "prune"]),
    ):
        done = below.run(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    # Without the variable, too, that says where the server is.
    own = {k: v for k, v in below.environment.items() if k != "MLFLOW_TRACKING_URI"}
    done = warm.run(
        [TRACKSTACK, "doctor"],
        env=own,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert below.uri in done.stdout


def test_a_backup_is_made_by_request(below: Serving) -> None:
    made = below.request("POST", "/trackstack/backups", below.token)
    assert made.status == 202, made.body
    assert below.request("GET", "/trackstack/backups", below.token).status == 200
    assert _raw(below, "POST", "/trackstack/backups", below.token).status == 404


def test_mlflow_s_own_prefix_beside_ours_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from runtime.access import create_app; create_app()"],
        env={**os.environ, "_MLFLOW_STATIC_PREFIX": "/mlflow"},
        capture_output=True,
        text=True,
    )
    assert "UserError: `mlflow server` takes no path prefix here" in done.stderr


def _signed_in(page: "Page", server: Serving) -> list[str]:
    """Sign in; the list grows by whatever fails from then on."""
    # Without the slash, as `make status` prints it.
    page.goto(server.uri)
    failed: list[str] = []

    def note(answer: Any) -> None:
        # The page asks whether there is MLflow's own sign-in, which there is not.
        if answer.status >= 400 and not answer.url.endswith("/mlflow/users/current"):
            failed.append(f"{answer.status} {answer.url}")

    page.fill("input[name=token]", server.token)
    page.on("response", note)
    page.get_by_role("button", name="Sign in").click()
    return failed


def test_a_websocket_is_refused_beside_the_path_and_without_a_token(below: Serving) -> None:
    address = urlsplit(below.uri)
    for path in ("/socket", f"{_prefix(below)}/socket"):
        link = http.client.HTTPConnection(str(address.hostname), int(address.port or 0), timeout=30)
        upgrade = {
            **{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        link.request("GET", path, headers=upgrade)
        assert link.getresponse().status in (401, 403, 404), path
        link.close()


def test_the_web_page_works_in_a_browser(
    below: Serving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client: Any = below.client(monkeypatch)
    experiment = client.create_experiment("in-a-browser")
    run = client.create_run(experiment, run_name="a-run-to-see").info.run_id
    client.log_metric(run, "loss", 0.125)
    client.log_text(run, "the artifact's own words", "note.txt")
    client.set_terminated(run)
    client.create_registered_model("a-model-to-see")
    of_experiment = f"/experiments/{experiment}"
    with browsing() as page:
        failed = _signed_in(page, below)
        for number, (path, shown) in enumerate(
            [
                (f"{of_experiment}/runs/{run}", "a-run-to-see"),
                (f"{of_experiment}/runs/{run}/artifacts", "note.txt"),
                ("/", "in-a-browser"),
                (f"{of_experiment}/runs", "a-run-to-see"),
                (f"{of_experiment}/traces", "in-a-browser"),
                ("/models/a-model-to-see", "a-model-to-see"),
                ("/prompts", "Prompts"),
                ("/gateway", "AI Gateway"),
            ]
        ):
            page.goto(f"{below.uri}/#{path}")
            page.get_by_text(shown).first.wait_for()
            if path.endswith("/artifacts"):
                page.get_by_text("note.txt").first.click()
                page.get_by_text("the artifact's own words").first.wait_for()
            page.wait_for_timeout(_SETTLES)
            page.screenshot(path=str(tmp_path / f"{number}.png"))
            assert failed == [], path
        page.goto(f"{below.uri}/trackstack/account")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Token").wait_for()
        assert page.url == f"{below.uri}/"
