"""MLflow's own page in a browser, by role."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import browsing
from tests.runtime.serving import Serving, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Filled:
    """A server, a reader's token, and what there is to see."""

    server: Serving
    reader: str
    writer: str
    experiment: str
    run: str


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Generator[Filled]:
    with serving(tmp_path_factory.mktemp("reader")) as server:
        with pytest.MonkeyPatch.context() as patch:
            client = server.client(patch)
            experiment = client.create_experiment("to-be-read")
            run = client.create_run(experiment, run_name="a-run-to-read").info.run_id
            client.log_param(run, "learning-rate", "0.25")
            client.log_metric(run, "loss", 0.125)
            client.log_text(run, "the artifact's own words", "note.txt")
            client.log_text(run, "flavors: {}", "model/MLmodel")
            client.set_terminated(run)
            client.create_registered_model("a-model-to-read")
            # Where the server opens it: the page of a version asks for its MLmodel.
            source = f"{client.get_run(run).info.artifact_uri}/model"
            client.create_model_version("a-model-to-read", source, run)
        reader = server.run("token", "add", "reader", "--role", "read").stdout.strip()
        writer = server.run("token", "add", "writer", "--role", "write").stdout.strip()
        server.wait_until(writer, 200)
        yield Filled(server, reader, writer, experiment, run)


def _sign_in(page: "Page", filled: Filled, token: str) -> list[str]:
    """Sign in; the list grows by whatever MLflow's page is refused from then on."""
    page.goto(f"{filled.server.uri}/")
    page.fill("input[name=token]", token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{filled.server.uri}/**")
    refused: list[str] = []

    def note(answer: "Response") -> None:
        # The page asks whether there is MLflow's own sign-in, which there is not.
        is_expected = answer.url.endswith("/mlflow/users/current")
        if answer.status in (401, 403, 404, 413) and not is_expected:
            path = answer.url.removeprefix(filled.server.uri)
            refused.append(f"{answer.status} {answer.request.method} {path}")

    page.on("response", note)
    return refused


# Milliseconds: the page asks for more once it shows something, and is never quite still.
_SETTLES = 2500


def test_a_reader_sees_every_page_but_administrators_and_a_run_with_all_that_it_holds(
    filled: Filled, tmp_path: Path
) -> None:
    experiment = f"/experiments/{filled.experiment}"
    run = f"{experiment}/runs/{filled.run}"
    pages = [
        (run, ["a-run-to-read", "learning-rate", "0.125"]),
        (f"{run}/artifacts", ["note.txt"]),
        ("/", ["to-be-read"]),
        ("/experiments", ["to-be-read"]),
        (f"{experiment}/runs", ["a-run-to-read"]),
        (f"{experiment}/traces", ["to-be-read"]),
        (f"{experiment}/evaluation-runs", ["to-be-read"]),
        (f"{experiment}/models", ["to-be-read"]),
        (f"{experiment}/datasets", ["to-be-read"]),
        ("/models", ["a-model-to-read"]),
        ("/models/a-model-to-read", ["a-model-to-read"]),
        ("/prompts", ["Prompts"]),
    ]
    with browsing() as page:
        refused = _sign_in(page, filled, filled.reader)
        for number, (path, shown) in enumerate(pages):
            page.goto(f"{filled.server.uri}/#{path}")
            for text in shown:
                page.get_by_text(text).first.wait_for()
            if path.endswith("/artifacts"):
                page.get_by_text("note.txt").first.click()
                page.get_by_text("the artifact's own words").first.wait_for()
            page.wait_for_timeout(_SETTLES)
            page.screenshot(path=str(tmp_path / f"{number}.png"))
            assert "403" not in page.inner_text("body"), path
            assert refused == [], path


# What only administrators see, by the path of its page.
_OF_ADMINS = {
    "/gateway": "/mlflow/gateway/",
    "/gateway/budgets": "/mlflow/gateway/",
    "/settings/llm-connections": "/mlflow/gateway/",
    "/settings/webhooks": "/mlflow/webhooks",
}


@pytest.mark.nightly
@pytest.mark.parametrize("role", ["read", "write", "admin"])
def test_a_role_is_refused_nothing_but_what_is_an_administrator_s(
    filled: Filled, role: str, tmp_path: Path
) -> None:
    tokens = {"read": filled.reader, "write": filled.writer, "admin": filled.server.token}
    experiment = f"/experiments/{filled.experiment}"
    run = f"{experiment}/runs/{filled.run}"
    pages = [
        *("/", "/experiments", "/models", "/prompts", "/settings", *_OF_ADMINS),
        *(f"{run}{tab}" for tab in ("", "/model-metrics", "/system-metrics", "/traces")),
        *(
            f"{experiment}/{tab}"
            for tab in (
                *("overview", "runs", "traces", "chat-sessions", "datasets", "evaluation-runs"),
                *("models", "judges", "prompts", "evaluation-datasets", "label-schemas"),
            )
        ),
        *("/models/a-model-to-read", "/models/a-model-to-read/versions/1", f"{run}/artifacts"),
    ]
    with browsing() as page:
        refused = _sign_in(page, filled, tokens[role])
        for number, path in enumerate(pages):
            refused.clear()
            page.goto(f"{filled.server.uri}/#{path}")
            page.wait_for_timeout(_SETTLES)
            page.screenshot(path=str(tmp_path / f"{number}.png"))
            unexpected = [
                line
                for line in refused
                if role == "admin" or _OF_ADMINS.get(path, "nothing") not in line
            ]
            assert unexpected == [], path
            told = page.get_by_text(f"administrator's: you have the role {role}").is_visible()
            assert told is (role != "admin" and path in _OF_ADMINS), path
