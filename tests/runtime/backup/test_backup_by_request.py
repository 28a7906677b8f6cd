"""Backups by request: who may have one made, and what it leaves behind in the server."""

import json
from pathlib import Path

import psutil
import pytest

from infra.rehearsal.system.waiting import wait_for
from runtime.artifacts.tree import Tree
from runtime.backup.format import manifest
from tests.runtime.serving import serving

pytestmark = pytest.mark.slow


def _children(pid: int, *words: str) -> list[psutil.Process]:
    """The processes below ``pid`` whose command has all ``words``, and dead ones without a word."""
    found: list[psutil.Process] = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            command = child.cmdline()
        except psutil.Error:
            continue
        if all(word in command for word in words):
            found.append(child)
    return found


def test_a_backup_by_request_is_told_no_secret_and_its_process_ends(tmp_path: Path) -> None:
    backups = str(tmp_path / "backups")
    with serving(tmp_path / "data", TRACKSTACK_BACKUP_DESTINATION=backups) as server:
        server.request("GET", "/version", server.token)
        before = {child.pid for child in psutil.Process(server.pid).children(recursive=True)}
        assert server.request("POST", "/trackstack/backups", server.token).status == 202
        wait_for(lambda: _children(server.pid, "backup", "--json"), "the backup's process", 30)
        (child,) = _children(server.pid, "backup", "--json")
        names = set(child.environ())
        assert "TRACKSTACK_DATA_DIR" in names
        assert {name for name in names if name.startswith("_MLFLOW")} == set()
        assert "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY" not in names
        assert {name for name in names if "CRYPTO" in name} == set()
        assert server.token not in child.environ().values()

        def is_gone() -> bool:
            left = psutil.Process(server.pid).children(recursive=True)
            return not {process.pid for process in left} - before

        wait_for(is_gone, "its end, of which the server takes note", 60)
        assert list((tmp_path / "backups").iterdir())


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
