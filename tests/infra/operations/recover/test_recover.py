"""From what `make recover` may fill a stack, decided from its stack file and outputs."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra import settings
from infra.operations.recover import Options, command, prepare, restore_environment
from infra.operations.recover.compared import counts, differences, left_behind, refuse_data, wait
from infra.operations.recover.move import backups_of
from infra.operations.stack.served import client_of
from infra.place import ROOT, read_place
from infra.plan import make_plan
from infra.plan.local import LocalPlan
from runtime import settings as runtime_settings
from runtime.artifacts.tree import Tree
from runtime.backup import make
from runtime.backup.format.manifest import Manifest, TablePart
from runtime.backup.format.places import Place, given_keys
from runtime.database.engine import open_engine
from runtime.database.uri import shown_store
from runtime.errors import UserError
from tests import warm
from tests.runtime.backup.stores import restore
from tests.runtime.filled import fill, settings_of, unlike
from tests.runtime.serving import serving
from tests.warm import TRACKSTACK


def _plan(root: Path, secret: frozenset[str] = frozenset(), **keys: str) -> LocalPlan:
    read = settings.read({"cloud": "local", **keys}, secret)
    plan = make_plan(read, read_place(read, "a", secret, root))
    assert isinstance(plan, LocalPlan)
    return plan


def test_the_store_that_is_filled_is_the_stack_s_own(tmp_path: Path) -> None:
    given = restore_environment("a", _plan(tmp_path, dataDir="/d", artifactsDestination="/a"), {})
    assert given["TRACKSTACK_DATA_DIR"] == "/d"
    assert given["MLFLOW_ARTIFACTS_DESTINATION"] == "/a"
    own = restore_environment("a", _plan(tmp_path), {})
    assert own["TRACKSTACK_DATA_DIR"] == f"{tmp_path}/.trackstack/data/a"


def test_the_backups_key_is_the_stack_s_own_where_it_has_one_by_now(tmp_path: Path) -> None:
    plan = _plan(tmp_path, backupEncryption="true")
    for is_made in (False, True):
        key = Path(plan.data_dir) / "secrets" / "backup_key"
        if is_made:
            key.parent.mkdir(parents=True)
            key.write_text("k" * 43)
        found = runtime_settings.load(restore_environment("a", plan, {}))
        # Before it is made, a backup that another key opens can be restored all the same.
        assert make.destination(found, "/b")
        assert given_keys(found) == (["k" * 43] if is_made else [])


@pytest.mark.slow
def test_a_server_is_recovered_whatever_its_clients_write_from_then_on(
    backup: tuple[str, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, of = backup
    restore(settings_of(tmp_path / "data"), Tree(place))
    with serving(tmp_path / "data", TRACKSTACK_BACKUP_DESTINATION=place) as server:
        outputs = {"tracking_uri": server.uri, "tracking_token": server.token}
        with client_of(outputs) as client:
            assert wait(client, of, 0)[1] == []
            server.client(monkeypatch).create_experiment("of a client that was waiting")
            found, problems = wait(client, of, 0)
            assert (found["backup"], problems) == (of.name, [])
            another = replace(of, name="another")
            assert wait(client, another, 0)[1][0] == "it was not restored from another"


def test_a_store_that_this_shell_names_is_not_the_stack_s(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    shell = {
        "MLFLOW_BACKEND_STORE_URI": "postgresql://prod/mlflow",
        "MLFLOW_BACKEND_STORE_URI_FILE": "/run/secrets/prod",
        "DB_SECRET_OCID": "ocid1.vaultsecret.prod",
    }
    found = runtime_settings.load({**shell, **restore_environment("a", plan, {})})
    assert shown_store(found) == plan.backend_store


@pytest.mark.slow
def test_a_database_of_the_stack_s_own_is_the_one_that_is_filled(
    tmp_path: Path, backup: tuple[str, Manifest]
) -> None:
    """Before the stack was ever up: its secret file is not made yet."""
    # A path that pytest makes longer where it has workers.
    plan = _plan(tmp_path, frozenset({"backendStoreUri"}), dataDir="d")
    own = f"sqlite:///{tmp_path}/own.sqlite"
    given = restore_environment("a", plan, {}, own)
    found = runtime_settings.load({"MLFLOW_BACKEND_STORE_URI": "postgresql://prod/mlflow", **given})
    assert shown_store(found) == own
    restore = [TRACKSTACK, "restore", "--from", backup[0]]
    environment = {**os.environ, **given}
    done = warm.run(restore, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert unlike(open_engine(found), backup[1]) == []
    again = warm.run(restore, env=environment, capture_output=True, text=True)
    assert again.returncode == 2
    assert "the store is not empty" in again.stderr


@pytest.mark.slow
def test_what_cannot_be_filled_from_here_is_told_with_what_to_do(
    backup: tuple[str, Manifest], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="make down STACK=a"):
        restore_environment("a", _plan(tmp_path), {"tracking_uri": "http://t"})
    plan = _plan(tmp_path, frozenset({"backendStoreUri"}))
    forced = Options(backup[0], None, force=True, patience=0, dry_run=False)
    with pytest.raises(UserError, match=r"--force: .* is emptied by whoever made it"):
        prepare("a", plan, {}, forced, "sqlite:///x")


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Manifest]:
    filled = settings_of(tmp_path_factory.mktemp("filled"))
    fill(filled)
    place = make.destination(filled, None)
    return place.uri, make.back_up(filled, place)


@pytest.mark.slow
@pytest.mark.parametrize("data_dir", ["~/data", "inside/data", "{root}/link/data", "{root}/data"])
def test_a_restore_fills_the_very_store_that_the_server_opens(
    data_dir: str,
    backup: tuple[str, Manifest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    root = tmp_path / "project"
    root.mkdir()
    plan = _plan(root, dataDir=data_dir.format(root=tmp_path))
    done = warm.run(
        [TRACKSTACK, "restore", "--from", backup[0]],
        cwd=root,
        env={**os.environ, **restore_environment("a", plan, {})},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    given = plan.workloads.server.environment
    # No token is made yet.
    served = runtime_settings.load({k: v for k, v in given.items() if not k.endswith("_FILE")})
    assert unlike(open_engine(served), backup[1]) == []
    assert len(list(Path(plan.artifacts_destination).rglob("weights.bin"))) == 3
    assert not (root / "~").exists()


def _options(place: str) -> Options:
    return Options(place, None, force=False, patience=0, dry_run=False)


@pytest.mark.slow
def test_of_a_place_with_encrypted_backups_a_plain_one_is_taken_by_name_alone(
    backup: tuple[str, Manifest], tmp_path: Path
) -> None:
    """Whoever can write there could have put it, of whatever content."""
    key, place = "k" * 43, str(tmp_path / "backups")
    filled = settings_of(Path(backup[0]).parent)
    sealed = make.back_up(filled, Place(place, keys=(key,), seals=True))
    plain = make.back_up(filled, Tree(place))
    options = Options(place, None, force=False, patience=0, dry_run=False, keys=(key,))
    with pytest.raises(UserError, match=f"is not encrypted.*{sealed.name}"):
        options.manifest()
    assert replace(options, backup=plain.name).manifest() == plain
    assert replace(options, backup=sealed.name).manifest() == sealed


@pytest.mark.slow
def test_a_stack_is_not_to_be_taken_down_for_a_broken_backup(
    backup: tuple[str, Manifest], tmp_path: Path
) -> None:
    plan, is_up = _plan(Path("/project")), {"tracking_uri": "http://t"}
    with pytest.raises(UserError, match="make down STACK=a"):
        prepare("a", plan, is_up, _options(backup[0]))
    of, environment = prepare("a", plan, {}, _options(backup[0]))
    assert (of, environment) == (backup[1], restore_environment("a", plan, {}))
    shutil.copytree(backup[0], tmp_path / "backups")
    next((tmp_path / "backups").rglob("weights.bin")).unlink()
    with pytest.raises(UserError, match=r"is broken:\n.*weights\.bin: is missing"):
        prepare("a", plan, is_up, _options(str(tmp_path / "backups")))


_METRICS = """# TYPE trackstack_entities gauge
trackstack_entities{kind="experiments",stage="active"} 2.0
trackstack_entities{kind="experiments",stage="deleted"} 1.0
trackstack_entities{kind="runs",stage="active"} 40.0
"""


def _backup(**rows: int) -> Manifest:
    tables = {name: TablePart(name, 1, "", number, "") for name, number in rows.items()}
    return Manifest("b", "", "3", "r", "sqlite", tables, None, 0)


def test_a_server_that_counts_what_the_backup_has_is_recovered() -> None:
    counted = counts(_METRICS)
    assert counted == {
        "experiments": 3,
        "runs": 40,
        "registered_models": 0,
        "model_versions": 0,
    }
    assert differences(counted, _backup(experiments=3, runs=40, registered_models=0)) == []
    told = differences(counted, _backup(experiments=3, runs=41))
    assert told == ["40 runs, the backup has 41"]


def test_what_a_restore_has_noted_is_compared_with_the_backup() -> None:
    of = _backup(runs=41)
    noted = {"backup": "b", "rows": 41, "files": 0, "others": 0}
    assert left_behind(noted, of) == []
    assert left_behind(None, of) == ["it was not restored from b"]
    assert left_behind(noted | {"backup": "a"}, of) == ["it was not restored from b"]
    assert left_behind(noted | {"rows": 40}, of) == ["40 rows came, the backup has 41"]
    assert left_behind(noted | {"files": 1}, of) == ["1 artifacts came, the backup has 0"]


@pytest.mark.slow
def test_a_backup_inside_of_a_stack_is_brought_here_to_be_moved(
    backup: tuple[str, Manifest], tmp_path: Path
) -> None:
    place, of = backup
    within = f"env TRACKSTACK_BACKUP_DESTINATION={place} {TRACKSTACK}"
    outputs = {"backup_destination": place, "command": within}
    with backups_of(outputs, of.name, is_local=True) as here:
        assert here == place
    with backups_of(outputs, of.name, is_local=False) as here:
        assert here != place
        assert Options(here, of.name, force=False, patience=0, dry_run=False).manifest() == of
    outputs["backup_destination"] = "oci://backups@namespace/prod"
    with backups_of(outputs, of.name, is_local=False) as here:
        assert here == outputs["backup_destination"]


def test_a_stack_that_holds_data_is_not_recovered_over() -> None:
    refuse_data({"experiments": 1, "runs": 0}, "a")
    for held in ({"experiments": 2, "runs": 0}, {"experiments": 1, "runs": 1}):
        with pytest.raises(UserError, match="only an empty stack"):
            refuse_data(held, "a")


def test_a_stack_without_a_file_is_not_made_of_a_misspelt_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text("config: {trackstack:cloud: local}\n")
    monkeypatch.chdir(tmp_path)
    engine = tmp_path / "pulumi"
    engine.write_text('#!/bin/sh\necho "$@" >> asked\nexit 6\n')
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def recover(*arguments: str) -> BaseException | None:
        done = CliRunner().invoke(command, [*arguments], standalone_mode=False)
        return done.exception

    assert "there is no stacks/Pulumi.pord.yaml" in str(recover("pord", "--from", "/backups"))
    assert "FROM=" in str(recover("prod", "--from", ""))
    assert not (tmp_path / "asked").exists()
    recover("prod", "--from", "/backups")
    assert (tmp_path / "asked").read_text().startswith("stack select --create prod")
    target = ["make", "-n", "recover", "STACK=pord", "FROM=/backups"]
    lines = subprocess.run(target, cwd=ROOT, capture_output=True, text=True).stdout
    assert "select" not in lines
    assert "--force" not in lines
    forced = subprocess.run([*target, "FORCE=1"], cwd=ROOT, capture_output=True, text=True).stdout
    assert '--from "/backups" --force' in " ".join(forced.split())
