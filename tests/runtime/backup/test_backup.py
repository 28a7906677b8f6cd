"""Backups: what they hold, when they count as whole, where they restore to."""

import gzip
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.system.ports import find_free_port
from infra.rehearsal.system.waiting import wait_for
from runtime.artifacts.tree import Tree, check_path
from runtime.backup import filling, make, schema
from runtime.backup import restore as restoring
from runtime.backup.format import carry, manifest, rows
from runtime.backup.format.manifest import Manifest
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories, store_uri
from runtime.errors import UserError
from runtime.server.maintenance import answering
from runtime.settings import RuntimeSettings, load
from tests.runtime.databases import Server, mariadb, postgresql
from tests.runtime.filled import fill, settings_of
from tests.runtime.serving import TRACKSTACK, request, serving


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "tables": {"a": {}}}']
)
def test_a_manifest_that_is_none_is_said_to_be(content: str) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        manifest.parse(content)
    with pytest.raises(UserError, match="newer Trackstack"):
        manifest.parse('{"format": 3}')


@pytest.mark.parametrize("path", ["", ".", "/etc/passwd", "../x", "a/../../x", "a\0b"])
def test_a_path_that_leads_out_of_the_backup_is_refused(path: str) -> None:
    with pytest.raises(UserError, match="outside"):
        check_path(path)
    for part in ("tables", "artifacts"):
        given: dict[str, Any] = {
            "name": "n",
            "created": "",
            "mlflow_version": "3",
            "revision": "r",
            "database": "sqlite",
            "tables": {},
            "artifacts": None,
            "outside": 0,
            "format": 1,
        }
        of = {"path": path, "bytes": 1, "sha256": ""}
        table = {"runs": of | {"rows": 1, "digest": ""}}
        given[part] = table if part == "tables" else of | {"files": 1, "total_bytes": 1}
        with pytest.raises(UserError, match="outside"):
            manifest.parse(json.dumps(given))


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


@pytest.fixture(scope="module")
def made(filled: RuntimeSettings) -> tuple[Tree, Manifest]:
    """A backup of it."""
    tree = make.destination(filled, None)
    return tree, make.back_up(filled, tree)


def _restore(settings: RuntimeSettings, tree: Tree, **options: Any) -> dict[str, Any]:
    choices = {"force": False, "with_artifacts": True, "migrate": True, **options}
    return restoring.restore(settings, tree.uri, None, **choices)


def _artifacts(settings: RuntimeSettings) -> dict[str, bytes]:
    root = Path(settings.artifacts_destination)
    return {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}


def _digests(of: Manifest) -> dict[str, str]:
    # MySQL keeps a token's times to the second.
    return {n: t.digest for n, t in of.tables.items() if n != "trackstack_tokens"}


@pytest.mark.slow
def test_a_backup_holds_every_table_and_verifies(made: tuple[Tree, Manifest]) -> None:
    tree, of = made
    filled = {name for name, table in of.tables.items() if table.rows}
    wanted = {"spans", "trace_info", "trackstack_tokens", "latest_metrics", "model_versions"}
    assert wanted <= filled
    assert of.artifacts
    assert of.artifacts.files == 3
    assert filling.verify(tree, None)[1] == []


@pytest.mark.slow
def test_a_broken_backup_does_not_verify_and_one_without_manifest_is_none(
    filled: RuntimeSettings, tmp_path: Path
) -> None:
    tree = Tree(str(tmp_path))
    of = make.back_up(filled, tree)
    [file] = list(tmp_path.rglob("weights.bin"))[:1]
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"x")
    assert [p for p in filling.verify(tree, None)[1] if "its checksum is another" in p]
    file.unlink()
    assert len(filling.verify(tree, None)[1]) == 1
    file.write_bytes(whole)
    table = tmp_path / of.name / of.tables["runs"].path
    lines = gzip.decompress(table.read_bytes()).splitlines(keepends=True)
    table.write_bytes(gzip.compress(b"".join(lines[:-1])))
    with pytest.raises(UserError, match=r"runs\.jsonl\.gz is broken"):
        filling.verify(tree, None)
    (tmp_path / of.name / manifest.MANIFEST).unlink()
    with pytest.raises(UserError, match="no complete backup"):
        filling.verify(tree, None)


@pytest.mark.slow
def test_a_manifest_of_another_backup_is_refused(
    made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    tree, of = made
    other = of.name.replace("2", "1", 1)
    shutil.copytree(Path(tree.uri) / of.name, tmp_path / other)
    with pytest.raises(UserError, match="is that of"):
        carry.copy(Tree(str(tmp_path)), Tree(str(tmp_path / "to")), None)
    assert not (tmp_path / "to").exists()


@pytest.mark.slow
def test_a_store_that_is_not_empty_is_replaced_by_force_alone(
    made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    tree, of = made
    target = settings_of(tmp_path)
    assert _restore(target, tree, dry_run=True)["dry_run"]
    assert not schema.holds_data(open_engine(target))
    _restore(target, tree)
    with pytest.raises(UserError, match="--force"):
        _restore(target, tree)
    _restore(target, tree, force=True)
    assert filling.compare(open_engine(target), of) == []


@pytest.mark.slow
def test_a_server_s_own_empty_store_counts_as_empty(
    made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    target = settings_of(tmp_path)
    make_directories(target)
    # Makes the experiment Default, as every server does when it starts.
    SqlAlchemyStore(store_uri(target), "mlflow-artifacts:/")
    _restore(target, made[0])
    assert filling.compare(open_engine(target), made[1]) == []


@pytest.fixture(scope="module", params=[postgresql, mariadb])
def database(request: pytest.FixtureRequest) -> Generator[Server]:
    with request.param() as running:
        yield running


@pytest.mark.slow
def test_the_restore_drill_from_sqlite_to_a_server_to_another_and_back(
    made: tuple[Tree, Manifest], filled: RuntimeSettings, database: Server, tmp_path: Path
) -> None:
    """Every row and file is the same after three restores; numbers go on where they were."""
    import mlflow

    first = settings_of(tmp_path / "first", database.new_database())
    second = settings_of(tmp_path / "second", database.new_database())
    back = settings_of(tmp_path / "back")
    tree, of = made
    for settings in (first, second, back):
        _restore(settings, tree)
        tree = make.destination(settings, None)
        copied = make.back_up(settings, tree)
        assert filling.verify(tree, None)[1] == []
        assert _digests(copied) == _digests(of)
        assert _artifacts(settings) == _artifacts(filled)
    for settings in (first, second, back):
        uri = store_uri(settings)
        client: Any = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        assert client.create_experiment("new") == "2"
        assert client.get_experiment("0").name == "Default"
        assert client.get_model_version_by_alias("model", "Champion").name == "model"


@pytest.mark.slow
def test_an_older_schema_restores_into_a_newer_one(database: Server, tmp_path: Path) -> None:
    """From SQLite at MLflow 2.0's schema to another kind of database at today's."""
    old = settings_of(tmp_path / "old")
    make_directories(old)
    engine = open_engine(old)
    schema.make_tables(engine, "97727af70f4d")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage) "
            "VALUES (7, 'e', 'active')"
        )
        connection.exec_driver_sql(
            "INSERT INTO runs (run_uuid, experiment_id, user_id, status, start_time, "
            "lifecycle_stage, artifact_uri) "
            "VALUES ('r', 7, 'u', 'FINISHED', 1, 'active', 'mlflow-artifacts:/7/r')"
        )
    tree = make.destination(old, None)
    make.back_up(old, tree)
    assert filling.verify(tree, None)[1] == []
    new = settings_of(tmp_path / "new", database.new_database())
    upgraded = _restore(new, tree)["upgraded"]
    assert upgraded["from"] == "97727af70f4d"
    import mlflow

    uri = store_uri(new)
    client: Any = mlflow.MlflowClient(tracking_uri=uri)
    assert client.get_run("r").info.experiment_id == "7"


@pytest.mark.slow
def test_a_backup_goes_to_an_artifact_store_and_comes_back(
    filled: RuntimeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is no directory, by MLflow's own client of it: here another server's."""
    with serving(tmp_path / "store") as server:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
        tree = Tree(f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/backups")
        first, second = (make.back_up(filled, tree) for _ in range(2))
        assert filling.verify(tree, first.name)[1] == []
        assert make.retire(tree, first.store, 1, None).deleted == [first.name]
        target = settings_of(tmp_path / "target")
        _restore(target, tree)
    assert _artifacts(target) == _artifacts(filled)
    assert filling.compare(open_engine(target), second) == []


# Imports once, then forks a child for each kill: what it is at when it dies is left to chance.
_KILLED = """
import os, random, signal, sys, time
sys.path.insert(0, os.getcwd())
from runtime.backup import make, restore, schema
from tests.runtime.filled import settings_of
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
what, data, place, seed, kills = sys.argv[1:]
settings = settings_of(Path(data))
rows = make.destination(settings, place)

def work():
    if what == "backup":
        make.back_up(settings, rows)
    else:
        restore.restore(settings, place, None, force=True, with_artifacts=True, migrate=True)

def child():
    pid = os.fork()
    if pid == 0:
        os.setsid()
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return pid

began = time.monotonic()
assert os.waitpid(child(), 0)[1] == 0
seconds = time.monotonic() - began
chance, killed = random.Random(int(seed)), 0
for _ in range(int(kills)):
    pid = child()
    time.sleep(chance.uniform(0, seconds))
    os.kill(pid, signal.SIGKILL)
    killed += os.waitpid(pid, 0)[1] == signal.SIGKILL
print(killed)
"""


def _kill(what: str, data_dir: Path, tree: Tree, kills: int) -> int:
    seed = str(random.randrange(1 << 30))
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, what, str(data_dir), tree.uri, seed, str(kills)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    return int(done.stdout)


@pytest.mark.slow
def test_a_killed_backup_never_looks_complete(filled: RuntimeSettings, tmp_path: Path) -> None:
    tree = Tree(str(tmp_path / "backups"))
    assert _kill("backup", filled.data_dir, tree, 50) > 0
    make.back_up(filled, tree)
    complete = [name for name, is_complete in manifest.names(tree).items() if is_complete]
    for name in complete:
        assert filling.verify(tree, name)[1] == [], name
    assert len(complete) >= 2


@pytest.mark.slow
def test_a_killed_restore_is_run_again_and_no_server_starts_between(
    made: tuple[Tree, Manifest], filled: RuntimeSettings, tmp_path: Path
) -> None:
    tree, of = made
    assert _kill("restore", tmp_path, tree, 12) > 0
    target = settings_of(tmp_path)
    engine = open_engine(target)
    # Kill it for certain in the middle, whatever chance has done.
    schema.make_empty(engine, of.name)
    environment = {
        **os.environ,
        "TRACKSTACK_DATA_DIR": str(tmp_path),
        "MLFLOW_TRACKING_TOKEN": "not of any use",
    }
    started = subprocess.run(
        [TRACKSTACK, "server"], env=environment, capture_output=True, text=True, timeout=120
    )
    assert started.returncode == 1
    assert "run `trackstack restore` again" in started.stderr
    _restore(target, tree)
    assert filling.compare(engine, of) == []
    assert _artifacts(target) == _artifacts(filled)
    assert not list(Path(target.artifacts_destination).glob(".trackstack*"))


@pytest.mark.slow
def test_the_commands_speak_json_and_hold_their_tongue_on_secrets(
    filled: RuntimeSettings, tmp_path: Path
) -> None:
    environment = {**os.environ, "TRACKSTACK_DATA_DIR": str(filled.data_dir)}

    def run(*arguments: str, code: int = 0) -> Any:
        done = subprocess.run(
            [TRACKSTACK, *arguments], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if code == 0 else done.stderr

    to = str(tmp_path / "to")
    assert "TRACKSTACK_BACKUP_DESTINATION" in run("backup", code=2)
    assert "lie in each other" in run("backup", "--to", filled.artifacts_destination, code=2)
    assert run("backup", "--to", to, "--dry-run", "--json")["delete"] == []
    assert not Path(to).exists()
    first = run("backup", "--to", to, "--keep", "1", "--json")
    second = run("backup", "--to", to, "--keep", "1", "--json")
    assert second["deleted"] == [first["name"]]
    listed = run("backup", "--to", to, "list", "--json")
    assert [each["name"] for each in listed["backups"]] == [second["name"]]
    assert run("backup", "--to", to, "verify", "--json")["problems"] == []
    environment["TRACKSTACK_DATA_DIR"] = str(tmp_path / "other")
    done = run("restore", "--from", to, "--json")
    assert (done["files"], done["rows"]) == (3, second["rows"])


@pytest.mark.slow
def test_a_store_is_backed_up_as_it_was_at_one_moment(database: Server, tmp_path: Path) -> None:
    """Rows that a client writes between two tables' turns are in neither."""
    settings = settings_of(tmp_path, database.new_database())
    fill(settings)
    engine = open_engine(settings)
    with rows.snapshot(engine, tmp_path) as connection:
        tables = rows.reflect(connection).tables
        before = rows.summarise(connection, tables["tags"])
        with engine.begin() as other:
            other.exec_driver_sql("DELETE FROM tags")
        assert rows.summarise(connection, tables["tags"]) == before
    with engine.connect() as later:
        assert rows.summarise(later, tables["tags"]).rows == 0


@pytest.mark.slow
def test_a_backup_is_copied_once_and_a_broken_one_not(
    made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    tree, of = made
    target = Tree(str(tmp_path / "copies"))
    assert carry.copy(tree, target, None) == of
    assert filling.verify(target, None) == (of, [])
    kept = (tmp_path / "copies" / of.name / "manifest.json").stat().st_mtime_ns
    carry.copy(tree, target, of.name)
    assert (tmp_path / "copies" / of.name / "manifest.json").stat().st_mtime_ns == kept
    artifacts = tmp_path / "copies" / of.name / "artifacts"
    artifact = next(path for path in artifacts.rglob("*") if path.is_file())
    artifact.write_text("something else")
    with pytest.raises(UserError, match="is broken, 1 files"):
        carry.copy(target, Tree(str(tmp_path / "again")), None)
    assert manifest.names(Tree(str(tmp_path / "again"))) == {of.name: False}


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
    subprocess.run(taking, input=tarred.stdout, check=True, timeout=120)
    told: dict[str, Any] = {
        "TRACKSTACK_BACKUP_DESTINATION": str(tmp_path / "own"),
        "TRACKSTACK_RESTORE_BACKUP": of.name,
    }
    target = settings_of(tmp_path / "data")
    with serving(tmp_path / "data", **told) as server:
        assert filling.compare(open_engine(target), of) == []
        assert _artifacts(target) == _artifacts(filled)
        server.client(monkeypatch).create_experiment("made since")
    with serving(tmp_path / "data", **told) as server:
        assert server.client(monkeypatch).get_experiment_by_name("made since")


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


@pytest.mark.slow
def test_an_administrator_has_a_backup_made_by_request_and_nobody_else(tmp_path: Path) -> None:
    tree = Tree(str(tmp_path / "backups"))
    with serving(tmp_path / "data", TRACKSTACK_BACKUP_DESTINATION=tree.uri) as server:
        writer = server.run("token", "add", "writer", "--role", "write").stdout.split()[-1]
        server.wait_until(writer, 200)
        for method in ("GET", "POST"):
            assert server.request(method, "/trackstack/backups", writer).status == 403
        assert server.request("POST", "/trackstack/backups", server.token).status == 202

        def made() -> list[str]:
            answer = server.request("GET", "/trackstack/backups", server.token)
            return json.loads(answer.body)["backups"]

        wait_for(made, "a backup")
        assert made() == list(manifest.names(tree))
    with serving(tmp_path / "data") as server:
        refused = server.request("POST", "/trackstack/backups", server.token)
        assert refused.status == 409
        assert b"TRACKSTACK_BACKUP_DESTINATION" in refused.body


@pytest.mark.parametrize("name", ["../outside", "/outside"])
def test_a_tar_that_leads_out_of_its_folder_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    packed.seek(0)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(packed))
    tree = Tree(str(tmp_path / "place"))
    with pytest.raises(UserError, match="outside of itself"), carry.opened("-", tree):
        pass
    assert not (tmp_path / "outside").exists()
    assert list((tmp_path / "place").iterdir()) == []
