"""What a backup by request leaves behind in the server: no secret with it, no dead process."""

from pathlib import Path

import psutil
import pytest

from infra.rehearsal.system.waiting import wait_for
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
        assert server.token not in child.environ().values()

        def is_gone() -> bool:
            left = psutil.Process(server.pid).children(recursive=True)
            return not {process.pid for process in left} - before

        wait_for(is_gone, "its end, of which the server takes note", 60)
        assert list((tmp_path / "backups").iterdir())
