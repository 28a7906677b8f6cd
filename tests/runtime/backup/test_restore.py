"""Where a backup is restored to: an empty store, also by the server itself before it serves."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import mlflow
import pytest
from click.testing import CliRunner
from mlflow.entities import ViewType

from infra.operations.recover.compared import left_behind
from infra.rehearsal.system.ports import find_free_port
from runtime.artifacts.tree import Tree
from runtime.backup import make, schema
from runtime.backup import restore as restoring
from runtime.backup.format.manifest import Manifest
from runtime.database import state
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories, store_uri
from runtime.errors import UserError
from runtime.gc.command import command as gc
from runtime.server.maintenance import answering
from runtime.settings import RuntimeSettings, load
from tests import warm
from tests.runtime.backup.stores import artifacts, client_of, names, restore
from tests.runtime.filled import StoreMaker, settings_of, unlike
from tests.runtime.serving import request, serving, wait_until_ready
from tests.warm import TRACKSTACK


def test_a_restore_begins_on_an_empty_store_or_by_force_or_where_one_was_killed() -> None:
    state = {"has_rows": False, "has_artifacts": False, "known_revision": True}

    def check(*, unfinished: bool = False, force: bool = False, **changed: bool) -> None:
        restoring.check(unfinished=unfinished, force=force, **(state | changed))

    check()
    check(has_rows=True, unfinished=True)
    check(has_rows=True, has_artifacts=True, force=True)
    for changed, said in (
        ({"has_rows": True}, "--force"),
        ({"has_artifacts": True}, "--no-artifacts"),
        ({"known_revision": False, "force": True}, "newer MLflow"),
    ):
        with pytest.raises(UserError, match=said):
            check(**changed)


@pytest.mark.slow
def test_a_store_that_is_not_empty_is_replaced_by_force_alone(
    made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    tree, of = made
    target = settings_of(tmp_path)
    assert restore(target, tree, dry_run=True)["dry_run"]
    assert not schema.holds_data(open_engine(target))
    restore(target, tree)
    client_of(target).create_experiment("precious")
    with pytest.raises(UserError, match="--force"):
        restore(target, tree)
    kept = restore(target, tree, force=True)["kept"]
    assert unlike(open_engine(target), of) == []
    # What it replaces is not lost: a copy of the file, which opens where that is put back.
    assert "precious" in names(settings_of(tmp_path, f"sqlite:///{kept}"))
    assert restore(target, tree, force=True, keeps=False)["kept"] is None


@pytest.mark.slow
def test_a_server_s_own_empty_store_counts_as_empty(
    made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    target = settings_of(tmp_path)
    make_directories(target)
    # Makes the experiment Default, as every server does when it starts.
    SqlAlchemyStore(store_uri(target), "mlflow-artifacts:/")
    restore(target, made[0])
    assert unlike(open_engine(target), made[1]) == []


@pytest.mark.slow
def test_a_server_fills_an_empty_store_before_it_serves_and_no_other(
    made: tuple[Tree, Manifest],
    filled: RuntimeSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree, of = made
    # As `make recover` hands it over to a container.
    tarred = subprocess.run(["tar", "-c", "-C", tree.uri, of.name], capture_output=True, check=True)
    taking = [TRACKSTACK, "backup", "--to", str(tmp_path / "own"), "copy", "--from", "-"]
    warm.run(taking, input=tarred.stdout, check=True, timeout=120)
    told: dict[str, Any] = {
        "TRACKSTACK_BACKUP_DESTINATION": str(tmp_path / "own"),
        "TRACKSTACK_RESTORE_BACKUP": of.name,
    }
    target = settings_of(tmp_path / "data")
    with serving(tmp_path / "data", **told) as server:
        assert unlike(open_engine(target), of) == []
        assert artifacts(target) == artifacts(filled)
        # What `make recover` compares in the end.
        answer = server.request("GET", "/trackstack/backups", server.token)
        assert left_behind(json.loads(answer.body)["restored"], of) == []
        server.client(monkeypatch).create_experiment("made since")
    with serving(tmp_path / "data", **told) as server:
        assert server.client(monkeypatch).get_experiment_by_name("made since")


@pytest.mark.slow
def test_a_server_that_fills_its_store_overwrites_no_artifact_and_notes_what_came(
    made: tuple[Tree, Manifest], filled: RuntimeSettings, tmp_path: Path
) -> None:
    """As years after a recovery, when the database is new and the artifacts are the same."""
    tree, of = made
    target = settings_of(
        tmp_path, TRACKSTACK_BACKUP_DESTINATION=tree.uri, TRACKSTACK_RESTORE_BACKUP=of.name
    )
    old = artifacts(filled)
    newer, same = sorted(old)[:2]
    for path, content in ((newer, b"newer"), (same, old[same])):
        file = Path(target.artifacts_destination) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    make_directories(target)
    engine = open_engine(target)
    restoring.fill_empty(target, engine)
    assert artifacts(target) == old | {newer: b"newer"}
    assert state.restored(engine) == state.Restored(of.name, of.rows, len(old) - 1, 1)
    # By hand and by force they are the backup's.
    restore(target, tree, force=True)
    assert artifacts(target) == old
    assert state.restored(engine) == state.Restored(of.name, of.rows, len(old), 0)


@pytest.mark.slow
def test_what_was_deleted_long_before_a_restore_is_purged_when_its_time_is_over_again(
    store_in: StoreMaker, tmp_path: Path
) -> None:
    """To bring back what gc purged yesterday is what a backup of last week is restored for."""
    settings, tree = store_in(tmp_path / "old"), Tree(str(tmp_path / "backups"))
    engine = open_engine(settings)
    with engine.begin() as connection:
        deleted = "UPDATE runs SET deleted_time = 1 WHERE lifecycle_stage = 'deleted'"
        assert connection.exec_driver_sql(deleted).rowcount == 1
    make.back_up(settings, tree)
    target = settings_of(tmp_path / "target")
    restore(target, tree)

    def purged(*arguments: str) -> int:
        told = {"TRACKSTACK_DATA_DIR": str(target.data_dir)}
        done = CliRunner().invoke(gc, ["--json", *arguments], env=told)
        assert done.exit_code == 0, done.output
        number: int = json.loads(done.stdout)["deleted"]["runs"]
        return number

    before = artifacts(target)
    assert purged() == 0
    assert artifacts(target) == before
    assert purged("--dry-run", "--older-than", "30d") == 1
    with open_engine(target).begin() as connection:
        connection.exec_driver_sql("UPDATE trackstack_restored_at SET at = at - 86400000 * 31")
    assert purged() == 1


@pytest.mark.slow
def test_a_plain_mlflow_server_opens_what_is_restored_for_it(
    made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    """By the command that docs/how-to/move-in.md gives to those who leave."""
    store, files = f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path / "mlartifacts")
    leaving = {"MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_ARTIFACTS_DESTINATION": files}
    restoring_it = [TRACKSTACK, "restore", "--from", made[0].uri]
    warm.run(restoring_it, env={**os.environ, **leaving}, check=True, timeout=120)
    port = str(find_free_port())
    plain = [str(Path(TRACKSTACK).with_name("mlflow")), "server", "--port", port, "--workers", "1"]
    plain += ["--backend-store-uri", store, "--artifacts-destination", files]
    with subprocess.Popen(plain, start_new_session=True) as server:
        try:
            uri = f"http://127.0.0.1:{port}"
            wait_until_ready(uri, server)
            client: Any = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
            assert len(client.search_runs(["1"], run_view_type=ViewType.ALL)) == 3
            version = client.get_model_version_by_alias("model", "Champion")
            brought = client.download_artifacts(version.run_id, "deep/weights.bin", str(tmp_path))
            assert len(Path(brought).read_bytes()) in (256, 512, 768)
        finally:
            os.killpg(server.pid, signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "/mlflow"])
def test_a_server_that_takes_long_to_fill_its_store_is_alive_and_says_so(
    tmp_path: Path, prefix: str
) -> None:
    settings = load(
        {"MLFLOW_HOST": "127.0.0.1", "MLFLOW_PORT": str(find_free_port())}
        | {"TRACKSTACK_DATA_DIR": str(tmp_path), "MLFLOW_STATIC_PREFIX": prefix}
    )
    uri = f"http://127.0.0.1:{settings.port}{prefix}"
    with answering(settings):
        assert request(f"{uri}/x/health").status == 503
        assert request(f"{uri}/health").status == 200
        # Whom a load balancer asks whether it may lead somebody here.
        assert request(f"{uri}/health?ready").status == 503
        answer = request(f"{uri}/api/2.0/mlflow/runs/create", method="POST", body=b"{}")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
        assert b"restored or migrated" in answer.body
