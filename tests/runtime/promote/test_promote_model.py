"""Promotion of models between two real servers, with the real client."""

import json
import os
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.runtime.promote.servers import MODEL, Servers, register, stalling
from tests.runtime.serving import Serving, serving
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[Servers]:
    folder = tmp_path_factory.mktemp("promote")
    with (
        serving(folder / "staging", MLFLOW_WORKERS="1") as staging,
        serving(folder / "prod", MLFLOW_WORKERS="1") as prod,
    ):
        yield Servers(staging, prod)


def _versions(server: Serving, monkeypatch: pytest.MonkeyPatch, name: str) -> list[Any]:
    return list(server.client(monkeypatch).search_model_versions(f"name = '{name}'"))


def _predict(server: Serving, monkeypatch: pytest.MonkeyPatch, uri: str) -> tuple[Any, list[float]]:
    import mlflow
    import pandas

    server.client(monkeypatch)
    pyfunc: Any = mlflow.pyfunc
    loaded = pyfunc.load_model(uri)
    return loaded.metadata, loaded.predict(pandas.DataFrame({"x": [1.0, 2.0]}))["x"].tolist()


def test_a_model_is_carried_to_another_server_and_loaded_there_by_its_alias(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = register(servers.staging, tmp_path, monkeypatch, "staging.fraud", 3)
    servers.staging.client(monkeypatch).set_model_version_tag("staging.fraud", "1", "team", "risk")
    done = servers.promote(
        "models:/staging.fraud/1", "prod.fraud", "--alias", "Champion", "--by", "ann", "--json"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["action"], told["version"], told["dry_run"]) == ("upload", "1", False)

    metadata, answer = _predict(servers.prod, monkeypatch, "models:/prod.fraud@Champion")
    assert answer == [3.0, 6.0]
    assert metadata.signature.inputs.input_names() == ["x"]
    assert metadata.saved_input_example_info is not None
    (version,) = _versions(servers.prod, monkeypatch, "prod.fraud")
    assert version.tags["team"] == "risk"
    lineage = {
        key.removeprefix("trackstack.promotion."): value
        for key, value in version.tags.items()
        if key.startswith("trackstack.promotion.")
    }
    assert lineage.pop("at").startswith("20")
    assert lineage == {
        "server": servers.staging.uri,
        "source": "models:/staging.fraud/1",
        "run": made.run_id,
        "digest": told["digest"],
        "by": "ann",
    }
    for token in (servers.staging.token, servers.prod.token):
        assert token not in done.stdout + done.stderr + json.dumps(version.tags)


def test_promoting_again_changes_nothing_but_the_alias(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(servers.staging, tmp_path, monkeypatch, "again", 2)
    first = json.loads(servers.promote("models:/again/1", "again", "--json").stdout)
    (before,) = _versions(servers.prod, monkeypatch, "again")
    second = json.loads(
        servers.promote("models:/again/1", "again", "--alias", "Champion", "--json").stdout
    )
    (after,) = _versions(servers.prod, monkeypatch, "again")
    assert (first["action"], second["action"]) == ("upload", "keep")
    assert first["digest"] == second["digest"]
    assert before.tags == after.tags
    assert servers.prod.client(monkeypatch).get_model_version_by_alias("again", "Champion")


def test_another_content_becomes_another_version(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, factor in ((1, 5), (2, 7)):
        register(servers.staging, tmp_path, monkeypatch, "grows", factor)
        done = servers.promote(f"models:/grows/{number}", "grows", "--alias", "Champion")
        assert done.returncode == 0, done.stderr
        _, answer = _predict(servers.prod, monkeypatch, "models:/grows@Champion")
        assert answer == [1.0 * factor, 2.0 * factor]
    assert len(_versions(servers.prod, monkeypatch, "grows")) == 2


def test_within_one_server_a_version_is_copied_once_with_its_lineage(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(servers.staging, tmp_path, monkeypatch, "here.staging", 4)
    arguments = ("models:/here.staging/1", "here.prod", "--alias", "Champion", "--json")
    actions = [
        json.loads(servers.promote(*arguments, across=False).stdout)["action"] for _ in range(2)
    ]
    assert actions == ["copy", "keep"]
    (version,) = _versions(servers.staging, monkeypatch, "here.prod")
    assert version.tags["trackstack.promotion.source"] == "models:/here.staging/1"
    assert _predict(servers.staging, monkeypatch, "models:/here.prod@Champion")[1] == [4.0, 8.0]


def test_a_copy_that_was_interrupted_before_its_tags_is_gone_on_with(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(servers.staging, tmp_path, monkeypatch, "half.staging", 4)
    client = servers.staging.client(monkeypatch)
    client.copy_model_version("models:/half.staging/1", "half.prod")
    told = json.loads(
        servers.promote("models:/half.staging/1", "half.prod", "--json", across=False).stdout
    )
    (version,) = _versions(servers.staging, monkeypatch, "half.prod")
    assert told["action"] == "keep"
    assert version.tags["trackstack.promotion.digest"] == told["digest"]


def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(servers.staging, tmp_path, monkeypatch, "dry", 2)
    told = json.loads(servers.promote("models:/dry/1", "dry", "--dry-run", "--json").stdout)
    assert (told["action"], told["version"], told["dry_run"]) == ("upload", None, True)
    assert _versions(servers.prod, monkeypatch, "dry") == []


def test_gates_hold_back_until_all_are_fulfilled(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(servers.staging, tmp_path, monkeypatch, "gated", 2)
    gates = ("--require-metric", "auc>=0.75", "--require-tag", "validation=passed")
    options = ("models:/gated/1", "gated", *gates, "--require-approval", "--json")
    refused = servers.promote(*options)
    assert refused.returncode == 1
    told = json.loads(refused.stdout)
    assert [verdict["passed"] for verdict in told["gates"]] == [True, False, False]
    assert _versions(servers.prod, monkeypatch, "gated") == []

    client = servers.staging.client(monkeypatch)
    client.set_model_version_tag("gated", "1", "validation", "passed")
    approve = ("promote", "approve", "models:/gated/1", "--by", "ann")
    assert servers.staging.run(*approve, "--reject").returncode == 0
    assert "rejected by ann" in servers.promote(*options[:-1]).stdout
    assert servers.staging.run(*approve).returncode == 0
    assert servers.promote(*options).returncode == 0
    assert len(_versions(servers.prod, monkeypatch, "gated")) == 1


def test_a_killed_promotion_goes_on_without_a_second_version(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    client = servers.staging.client(monkeypatch)
    code = tmp_path / "large.py"
    code.write_text(MODEL.format(factor=2))
    weights = tmp_path / "weights"
    weights.mkdir()
    for number in range(40):
        (weights / f"{number}.bin").write_bytes(os.urandom(1 << 20))
    pyfunc: Any = mlflow.pyfunc
    with mlflow.start_run():
        pyfunc.log_model(
            name="model",
            python_model=str(code),
            artifacts={"weights": str(weights)},
            pip_requirements=[],
            registered_model_name="large",
        )
    assert client.get_model_version("large", "1")

    command = [TRACKSTACK, "promote", "model", "models:/large/1", "large"]
    environment = {**servers.staging.environment, **servers.secrets(), "TMPDIR": str(tmp_path)}
    artifacts = servers.prod.data_dir / "artifacts"
    with stalling(servers.prod, 10 << 20) as (uri, stalled):
        command += ["--to-uri", uri]
        with warm.Popen(command, env=environment, stderr=subprocess.DEVNULL) as promotion:
            try:
                assert stalled.wait(120)
            finally:
                promotion.send_signal(signal.SIGKILL)
    assert _versions(servers.prod, monkeypatch, "large") == []
    sent = {path: path.stat().st_mtime_ns for path in artifacts.rglob("*.bin")}
    assert 0 < len(sent) < 40

    done = servers.promote("models:/large/1", "large", "--alias", "Champion", "--json")
    assert done.returncode == 0, done.stderr
    assert len(_versions(servers.prod, monkeypatch, "large")) == 1
    after = {path: path.stat().st_mtime_ns for path in artifacts.rglob("*.bin")}
    assert len(after) == 40, "the same logged model, not a second one"
    kept = [path for path, written in sent.items() if after[path] == written]
    # The file that was on its way may have had to be sent again.
    assert len(kept) >= len(sent) - 1
    client = servers.prod.client(monkeypatch)
    (experiment,) = client.search_experiments(filter_string="name = 'trackstack-promotions'")
    assert experiment.tags["trackstack.keep"] == "true"


@pytest.mark.parametrize(
    ("uri", "code", "said"),
    [
        ("models:/nothing/1", 1, "nothing"),
        ("models:/nothing@Champion", 1, "nothing"),
        ("models:/nothing", 2, "models:/<name>/<version>"),
    ],
)
def test_a_model_that_is_not_there_is_told_in_a_line(
    servers: Servers, uri: str, code: int, said: str
) -> None:
    done = servers.promote(uri, "prod")
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_token_for_the_target_is_told_before_anything_is_read(servers: Servers) -> None:
    done = servers.staging.run(
        *("promote", "model", "models:/any/1", "any", "--to-uri", servers.prod.uri),
        TRACKSTACK_TARGET_TOKEN="wrong",
    )
    assert done.returncode == 75
    assert servers.prod.uri in done.stderr
    assert "TRACKSTACK_TARGET_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr
