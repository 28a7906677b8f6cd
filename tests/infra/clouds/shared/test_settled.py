"""What is waited for once, and what stays as it was first noted."""

import shutil
from pathlib import Path

import pytest

from infra.clouds.shared import settled
from infra.clouds.shared.home import _NotedProvider  # pyright: ignore[reportPrivateUsage]
from infra.clouds.shared.settled import SECONDS_VARIABLE, SettledProvider
from infra.operations.stack import Stack, login
from infra.place import ROOT
from runtime.errors import UserError


@pytest.mark.parametrize(
    ("given", "variable", "waited"), [(120, "", 120), (120, "2.5", 2.5), (9999, "", 600)]
)
def test_a_right_is_waited_for_once_and_not_for_ever(
    given: int, variable: str, waited: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(settled.time, "sleep", slept.append)
    if variable:
        monkeypatch.setenv(SECONDS_VARIABLE, variable)
    provider = SettledProvider()
    props = {"of": "ocid1.policy", "seconds": given}
    made = provider.create(props)
    assert slept == [waited]
    # Another time to wait is no reason to; another policy is.
    assert not provider.diff(str(made.id), props, {**props, "seconds": 1}).changes
    changed = provider.diff(str(made.id), props, {**props, "of": "ocid1.other"})
    assert (changed.changes, changed.replaces) == (True, [])


def test_a_right_that_goes_is_waited_for_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(settled.time, "sleep", slept.append)
    provider, props = SettledProvider(), {"of": "/one /two", "seconds": 5}
    provider.update("", props, {**props, "of": "/two"})
    assert slept == []
    provider.update("", props, {**props, "of": "/two /three"})
    assert slept == [5]


def test_what_is_noted_is_read_as_it_was() -> None:
    provider = _NotedProvider()
    made = provider.create({"value": "ocid1.image.first"})
    assert made.outs == {"value": "ocid1.image.first"}
    assert provider.read(str(made.id), {"value": "ocid1.image.first"}).id == made.id


def test_the_engine_is_given_the_login_where_it_asks_a_cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stacks").mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    for name in ("oci", "local"):
        text = f"config:\n  trackstack:cloud: {name}\n"
        (tmp_path / "stacks" / f"Pulumi.{name}.yaml").write_text(text)
    (tmp_path / "config").write_text(
        f"[DEFAULT]\nuser=u\ntenancy=t\nfingerprint=f\nkey_file={tmp_path}/config\nregion=r\n[ci]\nuser=other\n"
    )
    (tmp_path / "pulumi").write_text('#!/bin/sh\nprintf \'"%s"\' "$TF_VAR_user_ocid"\n')
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("OCI_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("OCI_CONFIG_PROFILE", "ci")
    assert Stack("oci").ask("refresh") == "other"
    assert Stack("oci").ask("config") == ""
    assert Stack("local").ask("refresh") == ""
    assert Stack("none").ask("refresh") == ""
    monkeypatch.setenv("OCI_CONFIG_PROFILE", "nobody")
    with pytest.raises(UserError, match="nobody"):
        login.variables("oci")
    assert login.variables("local") == {}
