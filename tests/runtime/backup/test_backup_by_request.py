"""Backups by request: who may have one made, and what it leaves behind in the server."""

import json
import shutil
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.operations.backup import back_up, by_request
from infra.operations.stack.served import client_of
from infra.rehearsal.system.waiting import wait_for
from runtime import settings as runtime_settings
from runtime.access import backups
from runtime.artifacts.tree import Tree
from runtime.backup import make
from runtime.backup.format import manifest
from runtime.backup.format.places import Place
from runtime.backup.upgrade import upgrade
from runtime.database.engine import open_engine
from runtime.database.lock import BACKUP, only_one
from runtime.errors import UserError
from tests.runtime.filled import settings_of
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


def test_its_process_is_told_what_encrypts_backups_and_no_other_secret(tmp_path: Path) -> None:
    of_server = {
        "TRACKSTACK_DATA_DIR": str(tmp_path),
        "TRACKSTACK_BACKUP_DESTINATION": str(tmp_path / "backups"),
        "TRACKSTACK_BACKUP_ENCRYPTION": "true",
        "TRACKSTACK_BACKUP_KEY": "k" * 43,
        "TRACKSTACK_EARLIER_BACKUP_KEYS": "e" * 43,
        "MLFLOW_TRACKING_TOKEN": "t" * 43,
        "TRACKSTACK_SECRETS_KEY": "s" * 43,
    }
    told = backups.environment(of_server)
    tree = make.destination(runtime_settings.load(told), None)
    assert isinstance(tree, Place)
    assert (tree.sealing, tree.keys) == ("k" * 43, ("k" * 43, "e" * 43))
    assert not {"t" * 43, "s" * 43} & set(told.values())


def test_the_server_says_which_backups_are_its_own_and_whether_one_is_made(tmp_path: Path) -> None:
    place = str(tmp_path / "backups")
    one, other = (
        settings_of(tmp_path / name).model_copy(update={"backup_destination": place})
        for name in ("one", "other")
    )
    made = list[str]()
    for settings in (one, other):
        upgrade(settings)
        made.append(make.back_up(settings, Tree(place)).name)

    def told() -> dict[str, Any]:
        status, body = backups.respond(one, "GET")
        assert status == 200
        return json.loads(body)

    assert (told()["own"], sorted(told()["backups"])) == (made[:1], sorted(made))
    assert not told()["running"]
    with only_one(open_engine(one), BACKUP):
        assert told()["running"]


def test_a_backup_that_is_asked_for_is_encrypted_and_is_the_stack_s_own(tmp_path: Path) -> None:
    """By the client's side, too: `make run ARGS=backup` where nobody can run a command."""
    place = tmp_path / "backups"
    key: dict[str, Any] = {
        "TRACKSTACK_BACKUP_ENCRYPTION": "true",
        "TRACKSTACK_BACKUP_KEY": "k" * 43,
    }
    with serving(tmp_path / "data", TRACKSTACK_BACKUP_DESTINATION=str(place), **key) as server:
        outputs = {"tracking_uri": server.uri, "tracking_token": server.token}
        name = back_up(outputs)
        assert manifest.load(Place(str(place), keys=("k" * 43,)), name).sealed
        # One that fails is not waited for.
        shutil.rmtree(place)
        place.write_text("in its place")
        with client_of(outputs) as client, pytest.raises(UserError, match="has made none"):
            by_request(client, begins=5)
