"""MLflow's own page in a browser of somebody who may only read."""

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
            client.set_terminated(run)
            client.create_registered_model("a-model-to-read")
        reader = server.run("token", "add", "reader", "--role", "read").stdout.strip()
        server.wait_until(reader, 200)
        yield Filled(server, reader, experiment, run)


def _sign_in(page: "Page", filled: Filled) -> list[str]:
    """Sign in; the list grows by whatever MLflow's page is refused from then on."""
    page.goto(f"{filled.server.uri}/")
    page.fill("input[name=token]", filled.reader)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{filled.server.uri}/**")
    refused: list[str] = []

    def note(answer: "Response") -> None:
        if answer.status in (401, 403, 404, 413):
            path = answer.url.removeprefix(filled.server.uri)
            refused.append(f"{answer.status} {answer.request.method} {path}")

    page.on("response", note)
    return refused


def test_a_reader_reads_a_run_with_all_that_it_holds(filled: Filled, tmp_path: Path) -> None:
    with browsing() as page:
        refused = _sign_in(page, filled)
        run = f"{filled.server.uri}/#/experiments/{filled.experiment}/runs/{filled.run}"
        page.goto(run)
        page.get_by_text("a-run-to-read").first.wait_for()
        page.get_by_text("learning-rate").first.wait_for()
        page.get_by_text("0.125").first.wait_for()
        page.screenshot(path=str(tmp_path / "run.png"))
        page.goto(f"{run}/artifacts")
        page.get_by_text("note.txt").first.click()
        page.get_by_text("the artifact's own words").first.wait_for()
        page.wait_for_load_state("networkidle")
        assert refused == []


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "to-be-read"),
        ("/experiments", "to-be-read"),
        ("/experiments/{experiment}/runs", "a-run-to-read"),
        ("/experiments/{experiment}/traces", "to-be-read"),
        ("/experiments/{experiment}/evaluation-runs", "to-be-read"),
        ("/experiments/{experiment}/models", "to-be-read"),
        ("/experiments/{experiment}/datasets", "to-be-read"),
        ("/models", "a-model-to-read"),
        ("/models/a-model-to-read", "a-model-to-read"),
        ("/prompts", "rompts"),
    ],
)
def test_no_page_but_an_administrators_is_refused_to_a_reader(
    filled: Filled, tmp_path: Path, path: str, shown: str
) -> None:
    with browsing() as page:
        refused = _sign_in(page, filled)
        page.goto(f"{filled.server.uri}/#{path.format(experiment=filled.experiment)}")
        page.get_by_text(shown).first.wait_for()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=str(tmp_path / "page.png"))
        assert refused == []
        assert "403" not in page.inner_text("body")
