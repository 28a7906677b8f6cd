"""What an update takes, decided from the engine's plans.

`plans/*.jsonl` are event logs of the real engine's previews, without what nobody reads.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.operations.stack import MistakeError, Preview, Resource, findings, guard
from infra.operations.stack.findings import Finding
from infra.operations.stack.guard import DataLossError

_PLANS = Path(__file__).parent / "plans"


def _events(name: str) -> list[str]:
    return (_PLANS / f"{name}.jsonl").read_text().splitlines()


def _state(events: list[str], **options: bool) -> list[Resource]:
    """The state that a plan was made for."""
    found: dict[str, Resource] = {}
    for event in map(json.loads, events):
        old: Mapping[str, Any] = event.get("resourcePreEvent", {}).get("metadata", {}).get("old")
        if not old or old["type"].startswith("pulumi:"):
            continue
        found[old["urn"]] = Resource(
            name=old["urn"].rsplit("::", 1)[1],
            type=old["type"],
            inputs=old["inputs"],
            protected=options.get("protected", bool(old.get("protect"))),
            retained=options.get("retained", bool(old.get("retainOnDelete"))),
            urn=old["urn"],
        )
    return list(found.values())


def _decide(name: str, **options: bool) -> dict[str, Finding]:
    events = _events(name)
    return {one.allowance: one for one in findings.decide(events, _state(events, **options))}


def test_a_new_data_directory_is_one_finding_though_all_in_it_is_made_anew() -> None:
    [(allowance, found)] = _decide("local-data-dir").items()
    assert allowance == "replace:data"
    assert found.place == "/home/ann/d"
    assert found.fate.startswith("left behind")
    assert found.cause == "changed: data_dir (dataDir)"


def test_another_place_of_artifacts_is_found_though_no_resource_goes() -> None:
    [(allowance, found)] = _decide("local-artifacts").items()
    assert allowance == "replace:artifacts"
    assert (found.place, "/srv/artifacts" in found.fate) == ("/home/ann/d/artifacts", True)
    assert "artifactsDestination" in found.cause


def test_a_database_in_another_domain_is_deleted_or_left_behind() -> None:
    found = _decide("oci-availability-domain")
    assert set(found) == {"replace:database"}
    assert found["replace:database"].fate.startswith("deleted")
    assert "availabilityDomain" in found["replace:database"].cause
    kept = _decide("oci-availability-domain", retained=True)
    assert kept["replace:database"].fate.startswith("left behind")


def test_a_name_takes_the_database_and_the_bucket_with_what_empties_it() -> None:
    found = _decide("oci-name")
    assert set(found) == {"replace:database", "replace:artifacts"}
    assert found["replace:artifacts"].cause == "changed: name"


def test_what_the_stack_file_asks_for_no_more_is_deleted() -> None:
    found = _decide("oci-database-secret")
    assert set(found) == {"delete:database"}
    assert "databaseSecretId" in found["delete:database"].cause


def test_a_plan_that_takes_nothing_is_not_stopped() -> None:
    assert _decide("local-port") == {}
    guard.refuse((), frozenset())


_DATABASE = Finding("replace", "database", "prod-db", "deleted", "changed: region")
_BUCKET = Finding("delete", "artifacts", "prod-bucket", "deleted", "the stack file asks no more")


def test_only_what_is_named_is_let_go(capsys: pytest.CaptureFixture[str]) -> None:
    both = (_DATABASE, _BUCKET)
    with pytest.raises(DataLossError) as refused:
        guard.refuse(both, {"replace:database"})
    said = str(refused.value)
    assert "artifacts (prod-bucket)" in said
    assert "prod-db" not in said
    # What is to be typed is all of it.
    assert said.endswith("DATA=replace:database,delete:artifacts")
    guard.refuse(both, {"replace:database", "delete:artifacts"})
    assert "DATA=delete:artifacts: prod-bucket is deleted" in capsys.readouterr().err
    for wrong in ({"delete:database"}, {"replace:data"}):
        with pytest.raises(DataLossError):
            guard.refuse([_DATABASE], wrong)


def test_what_is_allowed_in_vain_is_told_with_what_could_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    guard.refuse([_BUCKET], {"delete:artifacts", "replace:data"})
    said = capsys.readouterr().err
    assert "DATA=replace:data: it could name delete:artifacts; the update takes nothing" in said
    guard.refuse((), {"replace:data"})
    assert "DATA=replace:data: nothing can be named" in capsys.readouterr().err
    guard.refuse([_BUCKET], {"delete:artifacts"})
    assert "could name" not in capsys.readouterr().err


def test_allowances_are_typed_in_full() -> None:
    assert guard.allowances("") == frozenset()
    both = {"replace:data", "delete:database-data"}
    assert guard.allowances(" replace:data, delete:database-data,") == both
    for wrong in ("data", "replace", "all", "replace:", "remove:data", "replace:*"):
        with pytest.raises(MistakeError, match="neither replace:<name> nor delete:<name>"):
            guard.allowances(wrong)


_STORE, _ARTIFACTS = "backend_store", "artifacts_destination"


@pytest.mark.parametrize(
    ("output", "old", "new", "is_same"),
    [
        (_STORE, "postgresql+psycopg://u:***@h:5/m", "postgresql+psycopg2://v:***@h:5/m", True),
        (_STORE, "postgresql://h/m?sslmode=require", "postgresql://h/m", True),
        (_STORE, "postgresql://h/m", "mysql+pymysql://h/m", False),
        (_STORE, "postgresql://h/m", "postgresql://h/n", False),
        (_STORE, "sqlite:////d/store/mydb.sqlite", "sqlite:////e/store/mydb.sqlite", False),
        (_STORE, "in Vault", "mysql://h/m", False),
        (_ARTIFACTS, "oci://b@n/artifacts", "oci://b@n/artifacts/", True),
        (_ARTIFACTS, "oci://b@n/artifacts", "oci://c@n/artifacts", False),
        (_ARTIFACTS, "wasbs://c@a.net/x", "wasbs://d@a.net/x", False),
        (_ARTIFACTS, "/d/artifacts", "/e/artifacts", False),
    ],
)
def test_a_store_is_another_by_its_place_and_not_by_driver_or_login(
    output: str, old: str, new: str, is_same: bool
) -> None:
    states = {"old": {"outputs": {output: old}}, "new": {"outputs": {output: new}}}
    stack = {"type": "pulumi:pulumi:Stack", "op": "same", "urn": "urn::stack", **states}
    event = json.dumps({"resOutputsEvent": {"metadata": stack}})
    assert (findings.decide([event], []) == ()) is is_same


def test_what_is_not_known_before_the_update_is_left_to_the_resources() -> None:
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    for new in (unknown, {"4dabf18193072939515e22adb298388d": "x"}, None):
        states = {"old": {"outputs": {"backend_store": "mysql://h/m"}},
                  "new": {"outputs": {"backend_store": new}}}  # fmt: skip
        stack = {"type": "pulumi:pulumi:Stack", "op": "same", "urn": "urn::stack", **states}
        assert findings.decide([json.dumps({"resOutputsEvent": {"metadata": stack}})], []) == ()


@pytest.mark.parametrize(
    ("key", "name"), [("region", "region"), ("subscriptionId", "subscription")]
)
def test_a_provider_that_is_pointed_elsewhere_leaves_all_behind(key: str, name: str) -> None:
    """The engine updates it in place, and replaces nothing of what it made."""

    def step(new: str) -> str:
        states = {"old": {"inputs": {key: "here"}}, "new": {"inputs": {key: new}}}
        provider = {"type": "pulumi:providers:oci", "op": "update", "urn": "urn::oci", **states}
        return json.dumps({"resourcePreEvent": {"metadata": provider}})

    [found] = findings.decide([step("there")], [])
    assert (found.allowance, found.place) == (f"replace:{name}", "here")
    assert "there" in found.fate
    assert findings.decide([step("here")], []) == ()


def test_the_password_of_a_database_that_stays_is_as_good_as_the_data() -> None:
    kind = "pulumi-python:dynamic/trackstack:GeneratedSecret"
    urn = f"urn:pulumi:a::trackstack::{kind}::database-password"
    secret = Resource("database-password", kind, {}, protected=False, retained=False, urn=urn)
    steps = {"op": "replace", "urn": urn, "type": kind, "keys": ["directory"]}
    event = json.dumps({"resourcePreEvent": {"metadata": steps}})
    [found] = findings.decide([event], [secret])
    assert (found.allowance, found.cause) == (
        "replace:database-password",
        "changed: directory (dataDir)",
    )
    # With its database, it is the database that is named.
    gone = json.dumps({"resourcePreEvent": {"metadata": {**steps, "op": "delete"}}})
    assert findings.decide([gone], [secret]) == ()


@pytest.mark.parametrize("op", ["delete", "replace"])
def test_the_key_of_encrypted_backups_does_not_go_by_itself(op: str) -> None:
    kind = "pulumi-python:dynamic/trackstack:GeneratedSecret"
    urn = f"urn:pulumi:a::trackstack::{kind}::backup-key"
    secret = Resource("backup-key", kind, {}, protected=False, retained=True, urn=urn)
    event = json.dumps({"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "type": kind}}})
    [found] = findings.decide([event], [secret])
    assert found.allowance == f"{op}:backup-key"
    assert "earlierBackupKeys" in found.fate
    assert "backupEncryption" in found.cause


@pytest.mark.parametrize("kept", [False, True])
def test_what_is_kept_and_in_the_way_of_the_next_one_stops_the_update_whatever_is_named(
    kept: bool,
) -> None:
    """Azure's ids are names: the provider makes no second one, when the first is forgotten."""
    kind = "azure-native:dbformysql:Server"
    urn = f"urn:pulumi:a::trackstack::{kind}::database-server"
    server = Resource("database-server", kind, {}, protected=True, retained=kept, urn=urn)
    step = {"op": "replace", "urn": urn, "type": kind, "keys": ["highAvailability"]}
    found = findings.decide([json.dumps({"resourcePreEvent": {"metadata": step}})], [server])
    named = {"replace:database-server"}
    if not kept:
        guard.refuse(found, named)
        return
    with pytest.raises(DataLossError) as stopped:
        guard.refuse(found, named)
    assert "in the way" in str(stopped.value)
    assert "make\nrecover" in str(stopped.value)
    assert "DATA=" not in str(stopped.value)


def test_only_what_is_named_loses_its_protection() -> None:
    state = _state(_events("oci-name"), protected=True)
    urns = guard.protected(state, {"replace:artifacts"})
    names = {urn.rsplit("::", 1)[1] for urn in urns}
    assert names == {"artifacts", "artifacts-emptied"}
    assert guard.protected(state, frozenset()) == []


@pytest.mark.parametrize(
    ("message", "allowance"),
    [
        ('unable to replace resource "{}"\nas it is currently marked for protection.', "replace"),
        ('resource "{}" cannot be deleted\nbecause it is protected.', "delete"),
    ],
)
def test_what_the_engine_holds_before_it_has_planned_it_is_found_too(
    message: str, allowance: str
) -> None:
    kind = "azure-native:dbforpostgresql:Server"
    servers = [
        Resource(name, kind, {}, protected=True, retained=False, urn=f"urn::{kind}::{name}")
        for name in ("database-server", "database-server-2")
    ]
    said = {"severity": "error", "message": message.format(servers[0].urn)}
    [found] = findings.decide([json.dumps({"diagnosticEvent": said})], servers)
    assert found.allowance == f"{allowance}:database-server"


def test_a_preview_that_fails_is_told_without_the_engine_s_frame() -> None:
    errors = ("trackstack:port: 5000 is held by process 1\n", "preview failed\n")
    events = [
        json.dumps({"diagnosticEvent": {"message": text, "severity": "error"}}) for text in errors
    ]
    told = guard.failed(Preview(1, tuple(events), "Previewing …"))
    assert str(told) == "trackstack:port: 5000 is held by process 1"
    assert str(guard.failed(Preview(1, (), "error: no login\n"))) == "error: no login"


def test_what_others_added_to_is_refreshed_before_it_is_updated() -> None:
    kind = "oci:NetworkLoadBalancer/backendSet:BackendSet"

    def step(op: str, of: str) -> str:
        metadata = {"op": op, "type": of, "urn": f"urn:pulumi:s::trackstack::{of}::one"}
        return json.dumps({"resourcePreEvent": {"metadata": metadata}})

    planned = [step("update", kind), step("same", kind), step("update", "oci:Core/vcn:Vcn"), "{}"]
    assert guard.behind_state(planned) == [f"urn:pulumi:s::trackstack::{kind}::one"]
