"""What `make run` runs, and where."""

from typing import Any

import pytest

from infra.operations.run import by_request, decide, opening
from runtime.backup.format.places import given_keys
from runtime.errors import UserError
from runtime.settings import load

_UP: dict[str, Any] = {"tracking_uri": "https://t", "backup_destination": "oci://b@n/backups"}


def test_beside_the_server_where_that_can_be_and_else_what_is_about_backups() -> None:
    beside = {**_UP, "command": "docker exec --interactive s trackstack"}
    assert decide(beside, ("gc", "--json"))[-2:] == ["gc", "--json"]  # pyright: ignore[reportOptionalSubscript]
    assert decide(_UP, ("backup",)) is None
    here = decide(_UP, ("backup", "verify", "--json"))
    assert here
    assert here[1:] == ["backup", "--to", "oci://b@n/backups", "verify", "--json"]
    # What an earlier version left elsewhere is found, too.
    here = decide({**_UP, "earlier_backups": "oci://a@n/backups"}, ("backup", "list"))
    assert here
    assert here[2:] == ["--to", "oci://b@n/backups", "--earlier", "oci://a@n/backups", "list"]


def test_what_reads_encrypted_backups_from_here_has_the_stack_s_keys() -> None:
    """Else `backup verify` of a stack in a cloud's containers would ask for a key that it has."""
    up = {**_UP, "backup_key": f"{'k' * 43} {'o' * 43}"}
    assert given_keys(load(opening(up))) == ["k" * 43, "o" * 43]
    assert opening({**up, "command": "docker exec --interactive s trackstack"}) == {}
    assert opening(_UP) == {}


def test_tokens_are_asked_of_the_server_where_nobody_can_run_a_command() -> None:
    beside = {**_UP, "command": "docker exec --interactive s trackstack"}
    words = ("token", "add", "ann", "--role", "read")
    here = decide(_UP, words)
    assert here
    assert here[1:] == list(words)
    assert by_request(_UP, words)
    assert decide(_UP, ("doctor",))[1:] == ["doctor", "--server"]  # pyright: ignore[reportOptionalSubscript]
    assert decide(beside, ("doctor",))[-1] == "doctor"  # pyright: ignore[reportOptionalSubscript]
    assert not by_request(beside, words)
    assert not by_request(_UP, ("backup", "verify"))


def test_what_cannot_be_run_is_told() -> None:
    with pytest.raises(UserError, match="what can be had: backup"):
        decide(_UP, ("gc",))
    with pytest.raises(UserError, match="make up"):
        decide({}, ("backup",))


def test_on_a_machine_what_is_scheduled_is_started_there() -> None:
    logs = "ssh trackstack-admin@host journalctl -fu trackstack-server"
    with pytest.raises(UserError) as told:
        decide({**_UP, "logs": logs}, ("gc", "--dry-run"))
    assert "container" not in str(told.value)
    assert "ssh trackstack-admin@host sudo systemctl start trackstack-gc" in str(told.value)
    with pytest.raises(UserError) as told:
        decide({**_UP, "logs": "az container logs --follow"}, ("gc",))
    assert "ssh" not in str(told.value)


def test_a_store_is_not_restored_under_a_server_that_is_up() -> None:
    outputs = {"tracking_uri": "http://t", "command": "env trackstack"}
    with pytest.raises(UserError, match="make down, then make recover"):
        decide(outputs, ["restore", "--force", "--from", "/b"])
    assert decide(outputs, ["restore", "--dry-run"]) == [
        "env",
        "trackstack",
        "restore",
        "--dry-run",
    ]
