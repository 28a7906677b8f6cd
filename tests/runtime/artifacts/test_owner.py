"""Whose an artifact destination is: one store's, and never two's."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pytest

from runtime.artifacts import extras, owner
from runtime.artifacts.owner import NOBODY, Signs, claim, refusal
from runtime.artifacts.tree import Tree
from runtime.database import identity
from runtime.errors import UserError
from runtime.server import artifacts
from runtime.settings import load
from tests.runtime.gc_store import Store


def _store(folder: Path) -> Store:
    folder.mkdir()
    return Store(folder)


def _marked(store: Store) -> str | None:
    return owner.marked(Tree(str(store.artifacts)))


def _beside(store: Store, folder: Path) -> Store:
    """Another store with the same destination."""
    other = _store(folder)
    other.artifacts = store.artifacts
    other.environment["MLFLOW_ARTIFACTS_DESTINATION"] = str(store.artifacts)
    return other


@pytest.mark.parametrize(
    ("signs", "adopts", "refused"),
    [
        (Signs("own"), None, None),
        (Signs(None, None), None, None),
        (Signs(None, True), None, None),
        (Signs(None, False), None, f"artifacts of another store.*={NOBODY}"),
        (Signs(None, False), NOBODY, None),
        (Signs("other"), None, "that of the store other; .*=other"),
        (Signs("other"), NOBODY, "=other"),
        (Signs("other"), "third", "=other"),
        (Signs("other"), "other", None),
        (Signs("first"), None, "first, of whose backup this one is a copy;"),
    ],
)
def test_a_destination_is_one_store_s(
    signs: Signs, adopts: str | None, refused: str | None
) -> None:
    reason = refusal("own", signs, adopts, parent="first")
    if refused is None:
        assert reason is None
    else:
        assert reason is not None
        assert re.search(refused, reason), reason


def test_a_destination_is_marked_once_and_what_is_there_decides(tmp_path: Path) -> None:
    first = _store(tmp_path / "first")
    first.run()
    claim(first.engine, str(first.artifacts), None, mark=False)
    assert _marked(first) is None
    claim(first.engine, str(first.artifacts), None)
    assert _marked(first) == identity.known(first.engine)
    claim(first.engine, str(first.artifacts), None)
    second = _beside(first, tmp_path / "second")
    with pytest.raises(UserError, match=f"store {identity.known(first.engine)}; give"):
        claim(second.engine, str(second.artifacts), None)
    # From before there were marks: by the folders.
    shutil.rmtree(first.artifacts / ".trackstack")
    with pytest.raises(UserError, match=f"none of this one's.*={NOBODY}"):
        claim(second.engine, str(second.artifacts), None)
    assert _marked(first) is None
    claim(first.engine, str(first.artifacts), None)
    claim(second.engine, str(second.artifacts), identity.known(first.engine))
    assert _marked(second) == identity.known(second.engine)
    with pytest.raises(UserError, match="not this store's"):
        claim(first.engine, str(first.artifacts), None)


def test_a_destination_that_holds_traces_alone_is_one_store_s(tmp_path: Path) -> None:
    first = _store(tmp_path / "first")
    trace = f"tr-{uuid4().hex}"
    first.add("trace_info", request_id=trace, experiment_id=0, timestamp_ms=1, status="OK")
    (first.artifacts / "0" / "traces" / trace / "artifacts").mkdir(parents=True)
    second = _beside(first, tmp_path / "second")
    with pytest.raises(UserError, match=f"none of this one's.*={NOBODY}"):
        claim(second.engine, str(second.artifacts), None)
    claim(first.engine, str(first.artifacts), None)
    assert _marked(first) == identity.known(first.engine)


@pytest.mark.parametrize("there", ["nothing", "data of a user's", "a folder of an experiment's"])
def test_what_is_no_run_of_anybody_s_stands_in_no_way(there: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    if there != "nothing":
        name = "7" if "experiment" in there else "data"
        (store.artifacts / name / "x").mkdir(parents=True)
        (store.artifacts / name / "x" / "file").write_text("x")
    claim(store.engine, str(store.artifacts), None)
    assert _marked(store) == identity.known(store.engine)
    # What is Trackstack's own is no artifact.
    assert [path for path, _ in Tree(str(store.artifacts)).files() if "trackstack" in path] == []


def test_a_damaged_mark_is_nobody_s(tmp_path: Path) -> None:
    store = Store(tmp_path)
    claim(store.engine, str(store.artifacts), None)
    (store.artifacts / ".trackstack" / "store").write_text("{")
    with pytest.raises(UserError, match="damaged; remove it"):
        claim(store.engine, str(store.artifacts), None)


def test_a_second_store_purges_nothing(tmp_path: Path) -> None:
    first = _store(tmp_path / "first")
    second = _beside(first, tmp_path / "second")
    run = second.run()
    # As in a copy of the first's database: the same runs, deleted in one of them only.
    second.mlflow.delete_run(run)
    first.run()
    first.purge()
    done = second.gc("--older-than", "0d0h0m0s")
    assert isinstance(done.exception, UserError), done.output
    orphans = second.gc("--orphans", "--delete-orphans")
    assert isinstance(orphans.exception, UserError), orphans.output
    assert (second.artifacts / "0" / run / "artifacts" / "weights").exists()
    assert second.keys("runs", "run_uuid") == {run}


def test_a_server_does_not_start_on_another_store_s_artifacts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _store(tmp_path / "first")
    second = _beside(first, tmp_path / "second")
    artifacts.check(load(first.environment), first.engine)
    with pytest.raises(UserError, match="TRACKSTACK_ADOPT_ARTIFACTS"):
        artifacts.check(load(second.environment), second.engine)
    # What cannot be had, or answers too late, holds up nobody.
    (tmp_path / "file").write_text("x")
    broken = first.environment | {"MLFLOW_ARTIFACTS_DESTINATION": str(tmp_path / "file" / "x")}
    artifacts.check(load(broken), first.engine)
    assert "nobody knows whose" in capsys.readouterr().err
    answers = Event()

    def late(*_: object) -> None:
        answers.wait(60)

    with monkeypatch.context() as patched:
        patched.setattr(artifacts, "claim_all", late)
        artifacts.check(load(first.environment), first.engine, patience=0.1)
    answers.set()
    assert "no answer in 0.1 s" in capsys.readouterr().err
    unserved = {"MLFLOW_SERVE_ARTIFACTS": "false", "MLFLOW_ARTIFACTS_DESTINATION": "s3://b/x"}
    artifacts.check(load(first.environment | unserved), first.engine)


class DeniedError(Exception):
    status, message = 404, "BucketNotFound\nsecond line"


@pytest.mark.parametrize("is_stack", [True, False])
def test_a_destination_that_denies_the_look_is_told_before_a_bare_server_serves(
    is_stack: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To a stack its rights may have been given a minute ago."""
    store = Store(tmp_path)

    def deny(*_: object) -> None:
        raise OSError("MLflow's words") from DeniedError()

    monkeypatch.setattr(artifacts, "claim_all", deny)
    if is_stack:
        given = load(store.environment | {"TRACKSTACK_JOB_TOKEN": "x" * 43})
        artifacts.check(given, store.engine)
        assert "nobody knows whose" in capsys.readouterr().err
    else:
        with pytest.raises(UserError, match=r"404 BucketNotFound\): see its name, and the rights"):
            artifacts.check(load(store.environment), store.engine)


def test_a_library_that_is_missing_is_told_as_an_image_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(extras.STORE_EXTRAS, "none", "oci")
    monkeypatch.setitem(extras.PACKAGES, "oci", "no.such.package")
    store = Store(tmp_path)
    environment = store.environment | {"MLFLOW_ARTIFACTS_DESTINATION": "none://bucket@ns/x"}
    with pytest.raises(UserError, match="--build-arg EXTRAS=postgresql,mysql,oidc,oci"):
        artifacts.check(load(environment), store.engine)


def test_a_server_says_once_what_it_does_not_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    given = load(store.environment)
    artifacts.check(given, store.engine)
    assert capsys.readouterr().err == ""
    for number, location in enumerate(("s3://old/x", "s3://old/y", "/srv/old", None)):
        store.mlflow.create_experiment(f"of {number}", location)
    gone = store.mlflow.create_experiment("gone", "s3://gone/x")
    store.mlflow.delete_experiment(gone)
    named = {"workspace": "default", "name": "m"}
    store.add("registered_models", **named)
    sources = ("runs:/x/model", "dummy-source", "mlflow-artifacts:/1/x", "gs://other/x")
    for version, source in enumerate(sources):
        store.add("model_versions", **named, version=version, source=source)
    artifacts.check(given, store.engine)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "3 experiments and 1 registered versions" in said
    assert "(/srv/old, gs://other, s3://old)" in said
    assert "artifactLocations" in said
    permitted = store.environment | {"TRACKSTACK_ARTIFACT_LOCATIONS": "s3://old,gs://other,/srv"}
    artifacts.check(load(permitted), store.engine)
    assert capsys.readouterr().err == ""


def test_of_two_that_come_at_once_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _store(tmp_path / "first")
    second = _beside(first, tmp_path / "second")
    knows: Callable[..., Any] = owner.knows

    def meanwhile(*arguments: Any) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(owner, "knows", knows)
            claim(first.engine, str(first.artifacts), None)
        return knows(*arguments)

    monkeypatch.setattr(owner, "knows", meanwhile)
    with pytest.raises(UserError, match="took them"):
        claim(second.engine, str(second.artifacts), None)
    assert _marked(first) == identity.known(first.engine)


def test_a_mark_is_plain_json(tmp_path: Path) -> None:
    store = Store(tmp_path)
    claim(store.engine, str(store.artifacts), None)
    read = json.loads((store.artifacts / ".trackstack" / "store").read_text())
    assert read == {"store": identity.known(store.engine)}
    assert len(str(uuid4())) == len(read["store"])
