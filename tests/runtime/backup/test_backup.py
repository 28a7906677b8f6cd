"""Backups: what they hold, when they count as whole, where they go."""

import gzip
import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from runtime.artifacts.tree import Tree, check_path
from runtime.backup import filling, make
from runtime.backup.format import carry, manifest
from runtime.backup.format.manifest import Manifest
from runtime.backup.retention import Rule
from runtime.database.engine import open_engine
from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from tests import warm
from tests.runtime.backup.stores import artifacts, restore
from tests.runtime.filled import settings_of, unlike
from tests.runtime.serving import serving
from tests.warm import TRACKSTACK


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
def test_a_backup_goes_to_an_artifact_store_and_comes_back(
    filled: RuntimeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is no directory, by MLflow's own client of it: here another server's."""
    with serving(tmp_path / "store") as server:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
        tree = Tree(f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/backups")
        first, second = (make.back_up(filled, tree) for _ in range(2))
        assert filling.verify(tree, first.name)[1] == []
        assert make.retire(tree, first.store, Rule(1)).deleted == [first.name]
        target = settings_of(tmp_path / "target")
        restore(target, tree)
    assert artifacts(target) == artifacts(filled)
    assert unlike(open_engine(target), second) == []


@pytest.mark.slow
def test_the_commands_speak_json_and_hold_their_tongue_on_secrets(
    filled: RuntimeSettings, tmp_path: Path
) -> None:
    environment = {**os.environ, "TRACKSTACK_DATA_DIR": str(filled.data_dir)}

    def run(*arguments: str, code: int = 0) -> Any:
        done = warm.run(
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
    folder = tmp_path / "copies" / of.name / "artifacts"
    artifact = next(path for path in folder.rglob("*") if path.is_file())
    artifact.write_text("something else")
    with pytest.raises(UserError, match="is broken, 1 files"):
        carry.copy(target, Tree(str(tmp_path / "again")), None)
    assert manifest.names(Tree(str(tmp_path / "again"))) == {of.name: False}


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
